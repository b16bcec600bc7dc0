"""Classification: the class of a text, predicted from its first token by a linear head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.heads.head import Head
from xadapt.objectives.class_weights import ClassWeights, Labels, require_weights, weighted_classes
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class Classification:
    """Cross-entropy of a text's class, predicted from the state of the first token.

    The ``classification`` head of adapters reads the first token, not the base's pooling. So the
    trained head is exact in adapters.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.1.

    Attributes:
        smoothing: Share of the target probability that is spread equally over all classes.
        class_weights: Weight of the loss of a text by its class. ``balanced`` makes all classes
            count alike: the number of texts, divided by the number of classes times that of the
            class's texts. Or a number by class, 1 for a class that is not named.
    """

    smoothing: float = 0.0
    class_weights: ClassWeights = None

    consumes: ClassVar[type] = LabelledText
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError("smoothing must be in [0, 1)")
        require_weights(self.class_weights)

    def prepare(self, records: Sequence[LabelledText]) -> Labels:
        """Collect all classes of the data, with their weights.

        Raises:
            UserError: If there is only one class, so there is nothing to learn.
        """
        found = weighted_classes([record.label for record in records], self.class_weights)
        if len(found) < 2:
            raise UserError(
                f"all {len(records)} texts have the same label", where=records[0].origin
            )
        return found

    def heads(self, width: int, memory: tuple[str, ...]) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head("classification", memory, width)

    def views(self, records: Sequence[LabelledText], memory: tuple[str, ...]) -> dict[str, Any]:
        """Build the view of the texts and the numbers of their classes."""
        number = {label: i for i, label in enumerate(memory)}
        langs = [record.lang for record in records]
        view = EncodeView([record.text for record in records], output="states", langs=langs)
        return {"text": view, "labels": [number[record.label] for record in records]}

    def loss(
        self, text: States, labels: list[int], heads: Head, memory: Labels | None = None
    ) -> Loss:
        """Compute the loss of each text: ``(n,)``."""
        weights = memory.weights if memory is not None else None
        return cross_entropy(heads(text.hidden[:, 0]), labels, self.smoothing, weights)


def cross_entropy(
    scores: Tensor, labels: Sequence[int], smoothing: float, weights: Sequence[float] | None
) -> Loss:
    """Compute the cross-entropy of each row, with the weight of its class.

    Args:
        scores: ``(n, classes)``.
        labels: Numbers of the right classes, ``(n,)``.
        smoothing: As for `Classification`.
        weights: The weight of each class.
    """
    target = torch.tensor(labels, device=scores.device, dtype=torch.long)
    losses = F.cross_entropy(scores, target, reduction="none", label_smoothing=smoothing)
    return Loss(losses, None if weights is None else torch.tensor(weights).to(losses)[target])


Part = Classification
