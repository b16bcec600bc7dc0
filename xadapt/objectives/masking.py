"""The choice and the disguise of masked tokens, as in BERT."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xadapt.core.errors import UserError


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
            return rng.randrange(len(tokenizer))
        return token


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
