"""CoSENT: of two pairs of texts, the pair with the higher score has the higher cosine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.data.records import ScoredPair
from xadapt.functional.losses import cosent, over_dimensions
from xadapt.objectives.contract import EncodeView, Loss
from xadapt.objectives.pair_scoring import scale_of


@dataclass(frozen=True)
class Cosent:
    """Ranking of scored pairs by the cosine of their two vectors.

    Only the order of the scores counts, so their unit is free. The loss belongs to the batch: each
    record has the same value.

    Source: Su 2022, https://kexue.fm/archives/8847; ``CoSENTLoss`` of sentence-transformers.

    Attributes:
        temperature: Differences of cosines are divided by it; 0.05 is the "scale 20" of
            sentence-transformers.
    """

    temperature: float = 0.05

    consumes: ClassVar[type] = ScoredPair
    source: ClassVar[str] = "https://kexue.fm/archives/8847"
    coupled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def prepare(self, records: Sequence[ScoredPair]) -> None:
        """Refuse data without an order.

        Raises:
            UserError: If all scores are equal.
        """
        scale_of(records)

    def views(self, records: Sequence[ScoredPair], rng: random.Random) -> dict[str, Any]:
        """Build views of both texts, and the scores."""
        return {
            "left": EncodeView([r.left for r in records], langs=[r.left_lang for r in records]),
            "right": EncodeView([r.right for r in records], langs=[r.right_lang for r in records]),
            "scores": [r.score for r in records],
        }

    def loss(
        self, left: Tensor, right: Tensor, scores: list[float], dimensions: Sequence[int] = ()
    ) -> Loss:
        """Compute the batch's loss of ``left`` and ``right (n, dim)``, once a record: ``(n,)``."""
        order = torch.tensor(scores, dtype=torch.float64, device=left.device)

        def measure(one: Tensor, other: Tensor) -> Tensor:
            cosines = F.cosine_similarity(one.float(), other.float(), dim=-1)
            return cosent(cosines, order, self.temperature)

        return Loss(over_dimensions(measure, dimensions, left, right).expand(len(scores)))


Part = Cosent
