"""Classification: the class of a text, predicted from its first token by a linear head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.heads.head import Head
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class Classification:
    """Cross-entropy of a text's class, predicted from the state of the first token.

    The ``classification`` head of adapters reads the first token, not the base's pooling. So the
    trained head is exact in adapters.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.1.

    Attributes:
        smoothing: Share of the target probability that is spread equally over all classes.
    """

    smoothing: float = 0.0

    consumes: ClassVar[type] = LabelledText
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError("smoothing must be in [0, 1)")

    def prepare(self, records: Sequence[LabelledText]) -> tuple[str, ...]:
        """Collect all classes of the data.

        Raises:
            UserError: If there is only one class, so there is nothing to learn.
        """
        found = tuple(sorted({record.label for record in records}))
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

    def loss(self, text: States, labels: list[int], heads: Head) -> Loss:
        """Compute the loss of each text: ``(n,)``."""
        scores = heads(text.hidden[:, 0])
        target = torch.tensor(labels, device=scores.device, dtype=torch.long)
        return Loss(
            F.cross_entropy(scores, target, reduction="none", label_smoothing=self.smoothing)
        )


Part = Classification
