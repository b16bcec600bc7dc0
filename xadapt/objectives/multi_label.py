"""Multi-label classification: any number of labels of a text, predicted from its first token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from xadapt.core.errors import UserError
from xadapt.data.records import MultiLabelText
from xadapt.functional.thresholds import HALF, Choice
from xadapt.heads.head import Head
from xadapt.objectives.class_weights import ClassWeights, Labels, named_weights, require_weights
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class MultiLabel:
    """Binary cross-entropy of each label, predicted from the state of the first token.

    The loss of a text is the mean over all labels, as in transformers'
    ``multi_label_classification``.

    Source: Nam et al. 2014, https://arxiv.org/abs/1312.5419, equation 4.

    Attributes:
        class_weights: Factor on the loss of a label where the text has it (``pos_weight``).
            ``balanced`` is the number of texts without the label, divided by that of texts with it.
            Or a number by label.
        threshold: The probability from which on a label is given. ``one`` chooses one threshold
            for all labels, and ``per_label`` one for each label, by F1 on the development part.
    """

    class_weights: ClassWeights = None
    threshold: float | Choice = HALF

    consumes: ClassVar[type] = MultiLabelText
    source: ClassVar[str] = "https://arxiv.org/abs/1312.5419"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_weights(self.class_weights)
        if not isinstance(self.threshold, str) and not 0 < self.threshold < 1:
            raise ValueError("threshold must be between 0 and 1, one or per_label")

    def prepare(self, records: Sequence[MultiLabelText]) -> Labels:
        """Collect all labels of the data, with their weights.

        Raises:
            UserError: If no text has a label, or all texts have the same labels.
        """
        counts = Counter(label for record in records for label in record.labels)
        if not counts:
            raise UserError(
                f"none of {len(records)} texts has a label",
                where=records[0].origin,
                todo="Check the column of the labels, such as with the option labels",
            )
        if len({record.labels for record in records}) < 2:
            raise UserError(
                f"all {len(records)} texts have the same labels", where=records[0].origin
            )
        labels = Labels(sorted(counts))
        if self.class_weights == "balanced":
            # a label that every text has keeps a weight above 0
            absent = {label: max(len(records) - counts[label], 1) for label in labels}
            labels.weights = [absent[label] / counts[label] for label in labels]
        elif self.class_weights is not None:
            labels.weights = named_weights(labels, self.class_weights)
        return labels

    def heads(self, width: int, memory: Labels) -> Head:
        """Build the linear head, which is trained with the module."""
        head = Head("multi_label", memory, width)
        chosen = isinstance(self.threshold, str)
        head.thresholds = ((HALF if chosen else self.threshold),) * len(memory)  # type: ignore[assignment]
        head.threshold_choice = self.threshold if chosen else ""  # type: ignore[assignment]
        return head

    def views(self, records: Sequence[MultiLabelText], memory: Labels) -> dict[str, Any]:
        """Build the view of the texts and the numbers of their labels."""
        number = {label: i for i, label in enumerate(memory)}
        langs = [record.lang for record in records]
        view = EncodeView([record.text for record in records], output="states", langs=langs)
        own = [[number[label] for label in record.labels] for record in records]
        return {"text": view, "labels": own}

    def loss(self, text: States, labels: list[list[int]], heads: Head, memory: Labels) -> Loss:
        """Compute the loss of each text: ``(n,)``."""
        scores = heads(text.hidden[:, 0])
        target = torch.zeros_like(scores)
        for row, own in enumerate(labels):
            target[row, own] = 1
        weights = memory.weights
        factor = None if weights is None else torch.tensor(weights, device=scores.device)
        losses = F.binary_cross_entropy_with_logits(
            scores, target, pos_weight=factor, reduction="none"
        )
        return Loss(losses.mean(1))


Part = MultiLabel
