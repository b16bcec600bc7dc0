"""Masked language modelling on plain text, through the base's own frozen head."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.data.records import PlainText
from xadapt.functional.losses import token_cross_entropy
from xadapt.objectives.contract import EncodeView, Loss, States, draws


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """Cross-entropy of masked tokens, the mean over masked tokens.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 3.1.

    Attributes:
        probability: Share of tokens that are predicted.
        mask_rate: Share of these tokens that are replaced by the mask token.
        random_rate: Share of these tokens that are replaced by a random token. The rest is
            unchanged.
    """

    probability: float = 0.15
    mask_rate: float = 0.8
    random_rate: float = 0.1

    consumes: ClassVar[type] = PlainText
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ValueError("probability must be in (0, 1]")
        if self.mask_rate < 0 or self.random_rate < 0 or self.mask_rate + self.random_rate > 1:
            raise ValueError("mask_rate and random_rate must be shares with a sum of at most 1")

    def views(
        self, records: Sequence[PlainText], rng: random.Random, tokenizer: Any, tokenize: Any
    ) -> dict[str, Any]:
        """Build the view of the texts with some tokens masked, and the masked positions.

        Raises:
            UserError: If the base has no mask token.
        """
        if tokenizer.mask_token_id is None:
            raise UserError(
                "the base's tokenizer has no mask token",
                todo="Use a base that was trained with masked language modelling",
            )
        special = set(tokenizer.all_special_ids)
        rows, picked, labels = [], [], []
        texts = tokenize([r.text for r in records])
        for owner, (ids, chance) in enumerate(zip(texts, draws(rng, records), strict=True)):
            shown = list(ids)
            for at in self.choose([i for i, t in enumerate(ids) if t not in special], chance):
                picked.append((owner, at))
                labels.append(ids[at])
                shown[at] = self.disguise(ids[at], chance, tokenizer)
            rows.append(shown)
        view = EncodeView(rows, output="states", langs=[r.lang for r in records])
        return {"text": view, "picked": picked, "labels": labels}

    def loss(
        self,
        text: States,
        picked: list[tuple[int, int]],
        labels: list[int],
        lm_head: Callable[[Tensor], Tensor],
    ) -> Loss:
        """Compute each record's mean loss over masked tokens, weighted by number: ``(n,)``."""
        device = text.hidden.device
        index = torch.tensor(picked, device=device, dtype=torch.long).reshape(-1, 2)
        logits = lm_head(text.hidden[index[:, 0], index[:, 1]])
        target = torch.tensor(labels, device=device, dtype=torch.long)
        return Loss(*token_cross_entropy(logits, target, index[:, 0], len(text.hidden)))

    def choose(self, positions: list[int], rng: random.Random) -> list[int]:
        """Choose the positions that are predicted; at least one if there is any."""
        chosen = [p for p in positions if rng.random() < self.probability]
        return chosen or ([rng.choice(positions)] if positions else [])

    def disguise(self, token: int, rng: random.Random, tokenizer: Any) -> int:
        """Return what stands in the place of a predicted token."""
        draw = rng.random()
        if draw < self.mask_rate:
            return int(tokenizer.mask_token_id)
        if draw < self.mask_rate + self.random_rate:
            return rng.randrange(len(tokenizer))
        return token


Part = MaskedLanguageModelling
