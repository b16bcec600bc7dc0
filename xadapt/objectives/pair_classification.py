"""Pair classification: the class of two texts in one row, predicted from the first token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.backbones.encoder.pairs import Pair
from xadapt.core.errors import UserError
from xadapt.data.records import LabelledPair
from xadapt.heads.head import Head
from xadapt.objectives.class_weights import ClassWeights, Labels, require_weights, weighted_classes
from xadapt.objectives.classification import cross_entropy
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class PairClassification:
    """Cross-entropy of a pair's class, such as entailment, from the state of the first token.

    Both texts are in one row, joined by the base's own tokenizer, with its segment ids where the
    base has them. A pair that is too long loses tokens of its longer text.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.1 (MNLI).

    Attributes:
        smoothing: Share of the target probability that is spread equally over all classes.
        class_weights: ``balanced``, or the weight of a class by its name; see `Classification`.
    """

    smoothing: float = 0.0
    class_weights: ClassWeights = None

    consumes: ClassVar[type] = LabelledPair
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError("smoothing must be in [0, 1)")
        require_weights(self.class_weights)

    def prepare(self, records: Sequence[LabelledPair]) -> Labels:
        """Collect all classes of the data, with their weights.

        Raises:
            UserError: If there is only one class, so there is nothing to learn.
        """
        found = weighted_classes([record.label for record in records], self.class_weights)
        if len(found) < 2:
            raise UserError(
                f"all {len(records)} pairs have the same label", where=records[0].origin
            )
        return found

    def heads(self, width: int, memory: Labels) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head("pair_classification", memory, width)

    def views(
        self,
        records: Sequence[LabelledPair],
        memory: Labels,
        tokenize_pairs: Callable[[Sequence[str], Sequence[str]], list[Pair]],
    ) -> dict[str, Any]:
        """Build the view of the pairs, and the numbers of their classes."""
        number = {label: i for i, label in enumerate(memory)}
        rows = tokenize_pairs([r.text for r in records], [r.text_pair for r in records])
        view = EncodeView(
            [row.ids for row in rows],
            output="states",
            langs=[r.lang for r in records],
            second=[row.second for row in rows],
        )
        return {"pair": view, "labels": [number[record.label] for record in records]}

    def loss(self, pair: States, labels: list[int], heads: Head, memory: Labels) -> Loss:
        """Compute the loss of each pair: ``(n,)``."""
        return cross_entropy(heads(pair.hidden[:, 0]), labels, self.smoothing, memory.weights)


Part = PairClassification
