"""FILTER for classes: a text and its translation are read apart, together, and apart again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedText
from xadapt.functional.losses import soft_label_divergence
from xadapt.heads.head import Head
from xadapt.objectives.class_weights import Labels, weighted_classes
from xadapt.objectives.classification import cross_entropy
from xadapt.objectives.contract import FusedView, Loss, States
from xadapt.objectives.filter_pairs import (
    partners,
    require_options,
    require_teacher,
    require_translations,
)


@dataclass(frozen=True)
class FilterClassification:
    """Cross-entropy of the class of a text and of its translation, after layers that see both.

    The layers ``0 .. local - 1`` read each of the two alone, with positions of its own. The next
    ``fusion`` layers read both as one sequence. The other layers read each alone again. Each class
    is predicted from the first token of its own text: ``L = CE_text + CE_translation``. No layer is
    new. At prediction the text is read with its translation into the language of training, or with
    itself if there is none.

    In a second run, the module of the first run is the ``teacher``. It scores the same pair, and
    the translation learns from both: ``L = CE_text + (1 - a) CE_translation + a T² KL(softmax(z /
    T) || softmax(s / T))``, with scores ``s`` of the translation, those of the teacher ``z`` and
    ``a`` the ``distillation``. The published code takes the mean of the KL over elements and leaves
    T² out for classes; here each text has the sum over its classes.

    Source: Fang et al. 2021, "FILTER", https://arxiv.org/abs/2009.05166, section 3.

    Attributes:
        local: Number of first layers that read each text alone (m).
        fusion: Number of layers after these that read both (k). With 0 no layer sees both.
        itself: Share of texts that are paired with themselves in place of the translation, drawn
            anew in each step.
        teacher: Name of the companion with the soft labels; without a name there is none.
        distillation: Weight of the soft labels (a).
        temperature: Temperature of the soft labels (T).
    """

    local: int = 1
    fusion: int = 1
    itself: float = 0.25
    teacher: str = ""
    distillation: float = 0.5
    temperature: float = 1.0

    consumes: ClassVar[type] = TranslatedText
    source: ClassVar[str] = "https://arxiv.org/abs/2009.05166"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_options(self)

    def prepare(self, records: Sequence[TranslatedText]) -> Labels:
        """Collect all classes of the data.

        Raises:
            UserError: If there is only one class, or no text has a translation.
        """
        require_translations(records)
        found = weighted_classes([record.label for record in records], None)
        if len(found) < 2:
            raise UserError(
                f"all {len(records)} texts have the same label", where=records[0].origin
            )
        return found

    def heads(self, width: int, memory: tuple[str, ...]) -> Head:
        """Build one linear head for both texts; it keeps the fused layers."""
        head = Head("classification", memory, width)
        head.fused = (self.local, self.local + self.fusion)
        return head

    def views(
        self, records: Sequence[TranslatedText], rng: random.Random, memory: tuple[str, ...]
    ) -> dict[str, Any]:
        """Build the view of the translations with their texts, and the numbers of the classes."""
        number = {label: i for i, label in enumerate(memory)}
        texts = [record.text for record in records]
        beside = [
            record.text if own else record.translation
            for record, own in zip(records, partners(records, rng, self.itself), strict=True)
        ]
        span = (self.local, self.local + self.fusion)
        langs = [record.lang for record in records]
        views: dict[str, Any] = {"both": FusedView(beside, texts, span, langs=langs)}
        if self.teacher:
            views["taught"] = FusedView(beside, texts, span, teacher=self.teacher)
        return {**views, "labels": [number[record.label] for record in records]}

    def loss(
        self,
        both: States,
        labels: list[int],
        heads: Head,
        companions: Mapping[str, nn.Module],
        taught: States | None = None,
    ) -> Loss:
        """Compute the loss of each text: ``(n,)``."""
        assert both.paired is not None
        target = heads(both.hidden[:, 0])
        text = cross_entropy(heads(both.paired.hidden[:, 0]), labels, 0.0, None).values
        hard = cross_entropy(target, labels, 0.0, None).values
        if taught is None:
            return Loss(text + hard)
        teacher = require_teacher(companions, self.teacher, heads, self.local, self.fusion)
        with torch.no_grad():
            wanted = teacher(taught.hidden[:, 0])
        soft = soft_label_divergence(target, wanted, self.temperature)
        return Loss(text + (1 - self.distillation) * hard + self.distillation * soft)


Part = FilterClassification
