"""Hardest negative: a translation must be nearer than the nearest wrong sentence of the batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.data.records import ParallelPair
from xadapt.objectives.contract import EncodeView, Loss


@dataclass(frozen=True)
class HardestNegative:
    """Hinge between the cosine of a pair and that of the text's nearest other pivot.

    Source: VSE++, Faghri et al. 2018, https://arxiv.org/abs/1707.05612, equation 6.

    Attributes:
        margin: How much nearer the translation must be, in cosine.
    """

    margin: float = 0.2

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/1707.05612"
    coupled: ClassVar[bool] = True  # a loss depends on the other records of the batch

    def views(self, records: Sequence[ParallelPair], rng: random.Random) -> dict[str, Any]:
        """The texts with the module, the pivots frozen, and which pivots are the same."""
        pivots = [record.pivot for record in records]
        return {
            "text": EncodeView([r.text for r in records], langs=[r.lang for r in records]),
            "pivot": EncodeView(pivots, module=False),
            "same": [[left == right for right in pivots] for left in pivots],
        }

    def loss(self, text: Tensor, pivot: Tensor, same: list[list[bool]]) -> Loss:
        """Losses of ``text (n, dim)`` against ``pivot (n, dim)``: ``(n,)``."""
        cosine = F.normalize(text.float(), dim=-1) @ F.normalize(pivot.float(), dim=-1).T
        hidden = torch.tensor(same, device=cosine.device)
        nearest = cosine.masked_fill(hidden, -1.0).amax(dim=1)
        return Loss((self.margin - cosine.diagonal() + nearest).relu())


Part = HardestNegative
