"""FILTER: a text and its translation apart, together in some layers, and apart again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import nn

from xadapt.data.records import Record
from xadapt.objectives.contract import FusedView, Loss, States


@dataclass(frozen=True, slots=True)
class TranslatedText(Record):
    """A text, its translation into the pivot language, and the class of both."""

    text: str
    pivot: str
    label: str


@dataclass(frozen=True)
class Filter:
    """Cross-entropy of both texts' classes, from their own first states after the fusion.

    Source: Fang et al. 2021, "FILTER", https://arxiv.org/abs/2009.05166, section 3.2.

    Attributes:
        local: Layers that see each text alone at first (m).
        fusion: Layers after them that see both (k).
        labels: The classes.
    """

    local: int = 1
    fusion: int = 1
    labels: tuple[str, ...] = ("no", "yes")

    consumes: ClassVar[type] = TranslatedText
    source: ClassVar[str] = "https://arxiv.org/abs/2009.05166"
    coupled: ClassVar[bool] = False

    def heads(self, width: int) -> nn.Module:
        """One classifier for both texts."""
        return nn.Linear(width, len(self.labels))

    def views(self, records: Sequence[TranslatedText], rng: random.Random) -> dict[str, Any]:
        """One view whose rows are paired with their translations."""
        both = FusedView(
            [r.text for r in records],
            [r.pivot for r in records],
            fused=(self.local, self.local + self.fusion),
        )
        return {"both": both, "classes": [self.labels.index(r.label) for r in records]}

    def loss(self, both: States, classes: list[int], heads: nn.Module) -> Loss:
        """Sum of the two cross-entropies: ``(n,)``."""
        assert both.paired is not None
        target = both.mask.new_tensor(classes)
        own, other = (heads(side.hidden[:, 0].float()) for side in (both, both.paired))
        pair = [F.cross_entropy(logits, target, reduction="none") for logits in (own, other)]
        return Loss(pair[0] + pair[1])
