"""Cosine regression: the cosine of two vectors learns the score of the pair."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from xadapt.data.records import ScoredPair
from xadapt.functional.losses import cosine_distance, over_dimensions
from xadapt.objectives.contract import EncodeView, Loss
from xadapt.objectives.pair_scoring import Scale, scale_of


@dataclass(frozen=True)
class CosineRegression:
    """Squared difference of a pair's cosine and its score, scaled to 0 to 1.

    Source: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084, section 3 (regression
    objective); ``CosineSimilarityLoss`` of sentence-transformers.

    Attributes:
        lowest: The score that becomes 0, in the data's unit. Without a value, the lowest score of
            the data.
        highest: The score that becomes 1. Without a value, the highest score of the data.
    """

    lowest: float | None = None
    highest: float | None = None

    consumes: ClassVar[type] = ScoredPair
    source: ClassVar[str] = "https://arxiv.org/abs/1908.10084"
    coupled: ClassVar[bool] = False

    def prepare(self, records: Sequence[ScoredPair]) -> Scale:
        """Return the scores that 0 and 1 stand for.

        Raises:
            UserError: If the scale is empty, or a score of the data is outside the scale.
        """
        return scale_of(records, self.lowest, self.highest)

    def views(
        self, records: Sequence[ScoredPair], rng: random.Random, memory: Scale
    ) -> dict[str, Any]:
        """Build views of both texts, and the scores from 0 to 1."""
        low, high = memory
        return {
            "left": EncodeView([r.left for r in records], langs=[r.left_lang for r in records]),
            "right": EncodeView([r.right for r in records], langs=[r.right_lang for r in records]),
            "scores": [(r.score - low) / (high - low) for r in records],
        }

    def loss(
        self, left: Tensor, right: Tensor, scores: list[float], dimensions: Sequence[int] = ()
    ) -> Loss:
        """Compute the squared difference for ``left (n, dim)`` and ``right (n, dim)``: ``(n,)``."""
        target = torch.tensor(scores, device=left.device)

        def measure(one: Tensor, other: Tensor) -> Tensor:
            return (1 - cosine_distance(one, other) - target).square()

        return Loss(over_dimensions(measure, dimensions, left, right))


Part = CosineRegression
