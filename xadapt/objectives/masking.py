"""The choice and the disguise of masked tokens: any tokens, as in BERT, or those of entities."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.functional.losses import token_cross_entropy
from xadapt.objectives.contract import Loss, States


@dataclass(frozen=True)
class Masking:
    """How tokens are chosen and shown.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 3.1.

    Attributes:
        probability: Share of tokens that are predicted.
        mask_rate: Share of these tokens that are replaced by the mask token.
        random_rate: Share of these tokens that are replaced by a random token. The rest is
            unchanged.

    Raises:
        ValueError: If a share is out of range.
    """

    probability: float
    mask_rate: float
    random_rate: float

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ValueError("probability must be in (0, 1]")
        if self.mask_rate < 0 or self.random_rate < 0 or self.mask_rate + self.random_rate > 1:
            raise ValueError("mask_rate and random_rate must be shares with a sum of at most 1")

    def mask(
        self, ids: Sequence[int], rng: random.Random, tokenizer: Any
    ) -> tuple[list[int], list[int]]:
        """Mask the tokens of one row, at least one.

        Args:
            ids: The row with its special tokens, which are not masked.
            rng: The row's generator.
            tokenizer: The base's tokenizer.

        Returns:
            The row as it is shown, and the positions to predict.
        """
        special = set(tokenizer.all_special_ids)
        shown = list(ids)
        chosen = self.choose([i for i, t in enumerate(ids) if t not in special], rng)
        for at in chosen:
            shown[at] = self.disguise(ids[at], rng, tokenizer)
        return shown, chosen

    def choose(self, positions: Sequence[int], rng: random.Random) -> list[int]:
        """Choose some positions, at least one if there is one."""
        chosen = [p for p in positions if rng.random() < self.probability]
        return chosen or ([rng.choice(positions)] if positions else [])

    def disguise(self, token: int, rng: random.Random, tokenizer: Any) -> int:
        """Return what is shown in place of a token."""
        draw = rng.random()
        if draw < self.mask_rate:
            return int(tokenizer.mask_token_id)
        if draw < self.mask_rate + self.random_rate:
            own = getattr(tokenizer, "draw", None)
            return int(own(rng)) if own is not None else rng.randrange(len(tokenizer))
        return token


@dataclass(frozen=True)
class EntityMasking:
    """How the tokens of entities are chosen and shown.

    A share ``mask_rate`` of what is chosen is replaced by the mask token, ``random_rate`` by random
    tokens, and ``same_rate`` stays and is predicted. What is left over stays and is not predicted.

    Source: EntityCS, Whitehouse et al. 2022, https://arxiv.org/abs/2210.12540, section 2.2.

    Attributes:
        unit: ``entity`` chooses and disguises an entity as a whole, by one draw each; ``token``
            draws for each token.
        probability: Share of the units that are chosen.
        mask_rate: Share of chosen units that are masked.
        random_rate: Share of chosen units whose tokens are replaced by random ones.
        same_rate: Share of chosen units that stay and are predicted.

    Raises:
        ValueError: If a share is out of range.
    """

    unit: Literal["entity", "token"]
    probability: float
    mask_rate: float
    random_rate: float
    same_rate: float

    def __post_init__(self) -> None:
        shares = (self.mask_rate, self.random_rate, self.same_rate)
        if not 0 < self.probability <= 1:
            raise ValueError("probability must be in (0, 1]")
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ValueError("same_rate and the other rates must be shares with a sum of at most 1")

    def mask(
        self,
        shown: list[int],
        entities: Sequence[Sequence[int]],
        rng: random.Random,
        tokenizer: Any,
    ) -> list[int]:
        """Mask the entities of one row in place.

        Args:
            shown: The row.
            entities: The positions of the tokens of each entity.
            rng: The row's generator.
            tokenizer: The base's tokenizer.

        Returns:
            The positions to predict, ascending.
        """
        picked: list[int] = []
        for entity in entities:
            for unit in [entity] if self.unit == "entity" else [[at] for at in entity]:
                if rng.random() >= self.probability:
                    continue
                draw = rng.random()
                if draw >= self.mask_rate + self.random_rate + self.same_rate:
                    continue
                picked += unit
                for at in unit:
                    if draw < self.mask_rate:
                        shown[at] = int(tokenizer.mask_token_id)
                    elif draw < self.mask_rate + self.random_rate:
                        shown[at] = rng.randrange(len(tokenizer))
        return sorted(set(picked))


def masked_loss(
    text: States,
    picked: Sequence[tuple[int, int]],
    labels: Sequence[int],
    lm_head: Callable[[Tensor], Tensor],
) -> Loss:
    """Compute each record's mean cross-entropy over picked tokens, weighted by number: ``(n,)``.

    Args:
        text: The states of the rows, ``(n, tokens, width)``.
        picked: The row and the position of each token to predict.
        labels: The right token ids.
        lm_head: The base's masked-LM head; its attribute ``first`` is the id of its first logit, by
            default 0.
    """
    device = text.hidden.device
    index = torch.tensor(picked, device=device, dtype=torch.long).reshape(-1, 2)
    logits = lm_head(text.hidden[index[:, 0], index[:, 1]])
    target = torch.tensor(labels, device=device, dtype=torch.long) - getattr(lm_head, "first", 0)
    return Loss(*token_cross_entropy(logits, target, index[:, 0], len(text.hidden)))


def require_mask(tokenizer: Any) -> None:
    """Refuse a base without a mask token.

    Raises:
        UserError: If the tokenizer has none.
    """
    if tokenizer.mask_token_id is None:
        raise UserError(
            "the base's tokenizer has no mask token",
            todo="Use a base that was trained with masked language modelling",
        )
