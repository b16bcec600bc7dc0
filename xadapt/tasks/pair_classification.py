"""Pair classification: the class of two texts, such as entailment; accuracy and macro F1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.composition.values import Composition
from xadapt.core.sequences import as_pairs
from xadapt.data.records import LabelledPair
from xadapt.evaluation.comparison import Result
from xadapt.heads.head import Head
from xadapt.tasks.classification import TextClassification, class_answer
from xadapt.tasks.label_options import Answer
from xadapt.tasks.predictor import Predictor, first_scores
from xadapt.tasks.protocol import Option, Request

Pairs = Sequence[tuple[str, str]]


class PairClassifier(Predictor):
    """A predictor of classes of pairs by a head over the first token's state; made by `load`."""

    task: ClassVar[str] = "pair_classification"

    def classify(
        self,
        pairs: Pairs,
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[str]:
        """Predict the class of each pair.

        Args:
            pairs: Any number of pairs; both texts go through the encoder in one row.
            languages: A tag for each pair, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each pair, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if an item is no pair (text, text_pair).
        """
        found = self.scores(pairs, languages, compositions=compositions, cache=cache)
        return [self.head.labels[number] for number in found.argmax(1).tolist()]

    def scores(
        self,
        pairs: Pairs,
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Predict the probability of each class: ``(n, classes)``, in the order of the head's.

        Args:
            pairs: Any number of pairs of texts.
            languages: A tag for each pair, or one for all.
            compositions: A composition for each pair, or one for all.
            cache: Cached states from which the forward may start.

        Raises:
            UserError: If an argument is wrong, as for `classify`.
        """
        pairs = as_pairs(pairs, "pair", "(text, text_pair)")
        rows = self.adapted.activations(len(pairs), languages, compositions, cache)
        with rows.named():
            return probabilities(self.adapted.encoder, self.head, pairs, rows)


def probabilities(
    encoder: Encoder, head: Head, pairs: Pairs, rows: Rows | None = None
) -> NDArray[np.float32]:
    """Predict the probability of each class of each pair, ``(n, classes)``.

    Args:
        encoder: The encoder.
        head: The head.
        pairs: Any number of pairs.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    made = tokenize_pairs(encoder, [left for left, _ in pairs], [right for _, right in pairs])
    ids, second = [pair.ids for pair in made], [pair.second for pair in made]
    return np.asarray(first_scores(encoder, head, ids, second, rows).softmax(1), dtype=np.float32)


class PairClassification(TextClassification):
    """Give each pair of texts one of the head's classes."""

    name: ClassVar[str] = "pair_classification"
    title: ClassVar[str] = (
        "Pairs of texts (NLI, paraphrases): accuracy and macro F1; control: the frequent class."
    )
    record: ClassVar[type] = LabelledPair
    head: ClassVar[str | None] = "pair_classification"
    predictor: ClassVar[type[Predictor]] = PairClassifier
    reader: ClassVar[str] = "labelled_pairs"
    data_help: ClassVar[str] = "Lines of text, tab, text, tab, class; or CSV, JSONL, Parquet."
    does: ClassVar[str] = "gives a pair of texts one of {} classes"
    example: ClassVar[tuple[str, str] | None] = (
        'text, text_pair = "A man eats.", "Somebody eats."',
        "[text], [text_pair]",
    )

    def measure(  # type: ignore[override]
        self,
        request: Request,
        *,
        columns: Annotated[
            str | None, Option("Columns of text, text and class, by name or number: 2,3,4.")
        ] = None,
    ) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        return self.measure_with(request, columns, {})

    def predict(
        self,
        encoder: Encoder,
        head: Head,
        rows: Sequence[LabelledPair],  # type: ignore[override]
        active: Rows | None = None,
    ) -> list[str]:
        """Predict the class of each pair."""
        found = probabilities(encoder, head, _pairs(rows), active)
        return [head.labels[number] for number in found.argmax(1).tolist()]

    def answers(
        self, encoder: Encoder, head: Head, rows: Sequence[LabelledPair], active: Rows | None = None
    ) -> list[Answer]:
        """Predict the class and the probability of each class."""
        found = probabilities(encoder, head, _pairs(rows), active)
        return [
            {"text": row.text, "text_pair": row.text_pair, **class_answer(head, own)}
            for row, own in zip(rows, found, strict=True)
        ]


def _pairs(rows: Sequence[LabelledPair]) -> list[tuple[str, str]]:
    return [(row.text, row.text_pair) for row in rows]


Part = PairClassification()
