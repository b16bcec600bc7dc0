"""Classification: accuracy over texts, and the mean F1 of the classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import text_windows
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_texts
from xadapt.data.records import LabelledText
from xadapt.evaluation.comparison import Result, compare
from xadapt.heads.head import Head
from xadapt.tasks.fused_heads import given_translations, partner_ids, translations_of
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD
from xadapt.tasks.label_options import Answer, LabelTask
from xadapt.tasks.predictor import Predictor, first_scores
from xadapt.tasks.protocol import RESAMPLES, Option, Report, Request

MAJORITY = "most frequent class"


class Classifier(Predictor):
    """A predictor of classes by a head over the first token's state; made by `load`."""

    task: ClassVar[str] = "classification"

    @overload
    def classify(  # type: ignore[overload-overlap]
        self,
        texts: str,
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
        translations: str | Sequence[str] | None = None,
    ) -> str: ...

    @overload
    def classify(
        self,
        texts: Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
        translations: str | Sequence[str] | None = None,
    ) -> list[str]: ...

    def classify(
        self,
        texts: str | Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
        translations: str | Sequence[str] | None = None,
    ) -> str | list[str]:
        """Predict the class of each text.

        Args:
            texts: Any number of texts, or one.
            languages: A tag for each text, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each text, or one for all.
            cache: States below the first module, shared by calls on the same texts.
            translations: For a module of FILTER, the translation of each text into the language of
                training; an empty one, or none at all, stands for the text itself.

        Returns:
            A class for each text; the class alone for one text that is given as a string.

        Raises:
            UserError: As for `AdaptedEncoder.encode`.
        """
        given = as_texts([texts] if isinstance(texts, str) else texts)
        beside = given_translations(self.head, translations, len(given))
        rows = self.adapted.activations(len(given), languages, compositions, cache)
        with rows.named():
            found = classes(self.adapted.encoder, self.head, given, rows, beside)
        return found[0] if isinstance(texts, str) else found

    def scores(
        self,
        texts: Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
        translations: Sequence[str] | None = None,
    ) -> NDArray[np.float32]:
        """Predict the probability of each class: ``(n, classes)``, in the order of the head's.

        Args:
            texts: Any number of texts.
            languages: A tag for each text, or one for all.
            compositions: A composition for each text, or one for all.
            translations: As for `classify`.
            cache: Cached states from which the forward may start.

        Raises:
            UserError: If an argument is wrong, as for `classify`.
        """
        given = as_texts(texts)
        beside = given_translations(self.head, translations, len(given))
        rows = self.adapted.activations(len(given), languages, compositions, cache)
        with rows.named():
            return probabilities(self.adapted.encoder, self.head, given, rows, beside)


def classes(
    encoder: Encoder,
    head: Head,
    texts: Sequence[str],
    rows: Rows | None = None,
    translations: Sequence[str] | None = None,
) -> list[str]:
    """Predict the class of each text, the most probable one.

    A text longer than the base reads is read in overlapping windows. Its scores are the mean of the
    windows' scores before the softmax, so its class is that of the product of their probabilities.

    Args:
        encoder: The encoder.
        head: The head.
        texts: Any number of texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
        translations: For a head with fused layers the translation of each text; an empty one, or
            none at all, stands for the text itself.
    """
    windows = text_windows(encoder, texts, encoder.tokenize(texts))
    ids, owners = [one.ids for one in windows], [one.owner for one in windows]
    beside = partner_ids(encoder, head, ids, owners, translations)
    found = first_scores(encoder, head, ids, rows=rows, owners=owners, beside=beside)
    return [head.labels[number] for number in found.argmax(1).tolist()]


def probabilities(
    encoder: Encoder,
    head: Head,
    texts: Sequence[str],
    rows: Rows | None = None,
    translations: Sequence[str] | None = None,
) -> NDArray[np.float32]:
    """Predict the probability of each class of each text, ``(n, classes)``.

    The arguments are those of `classes`.
    """
    ids = encoder.tokenize(texts)
    beside = partner_ids(encoder, head, ids, range(len(ids)), translations)
    found = first_scores(encoder, head, ids, rows=rows, beside=beside)
    return np.asarray(found.softmax(1), dtype=np.float32)


class TextClassification(LabelTask):
    """Give each text one of the head's classes."""

    name: ClassVar[str] = "classification"
    title: ClassVar[str] = (
        "Text classification: accuracy and macro F1; control: the most frequent class."
    )
    record: ClassVar[type] = LabelledText
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro f1")
    task_type: ClassVar[str] = "text-classification"
    head: ClassVar[str | None] = "classification"
    predictor: ClassVar[type[Predictor]] = Classifier
    reader: ClassVar[str] = "labelled_text"
    data_help: ClassVar[str] = "Lines of text, tab, class, not seen before."
    details_title: ClassVar[str] = "F1 by class"
    does: ClassVar[str] = "gives a text one of {} classes"

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[LabelledText], active: Rows | None = None
    ) -> list[str]:
        """Predict the class of each text."""
        return classes(encoder, head, [row.text for row in rows], active, translations_of(rows))

    def answers(
        self, encoder: Encoder, head: Head, rows: Sequence[Any], active: Rows | None = None
    ) -> list[Answer]:
        """Predict the class and the probability of each class."""
        texts = [row.text for row in rows]
        found = probabilities(encoder, head, texts, active, translations_of(rows))
        return [
            {"text": row.text, **class_answer(head, own)}
            for row, own in zip(rows, found, strict=True)
        ]

    def measure(
        self,
        request: Request,
        *,
        columns: Annotated[
            str | None, Option("Columns of text and class, by name or number, such as 2,3.")
        ] = None,
        translator: Annotated[
            str | None, Option("For modules of FILTER: makes English translations of the texts.")
        ] = None,
    ) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        return self.measure_with(request, columns, {}, translator)

    def reader_for(self, fused: bool) -> str:
        """Return the reader of texts, or that of texts with translations."""
        return "translated_text" if fused else self.reader

    def evaluate(
        self,
        rows: Sequence[LabelledText],
        systems: Mapping[str, Sequence[str]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score classes of texts.

        The last row gives each text the most frequent class of the given texts. The details of a
        row are the F1 of each class that is right for some text.

        Args:
            rows: The texts with their classes.
            systems: Predictions by system name, one class a text.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over texts.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no texts, or a system's classes are not one a text.
        """
        if not rows:
            raise UserError("there are no texts to evaluate on")
        names = sorted({row.label for row in rows})
        right = _numbers([row.label for row in rows], names)
        found = {}
        for name, labels in {**systems, **self.baselines(rows)}.items():
            if len(labels) != len(rows):
                raise UserError(f"{name} gives {len(labels)} classes for {len(rows)} texts")
            found[name] = _numbers(labels, names)
        count = len(names)
        return compare(
            self.name,
            self.unit,
            {name: dict.fromkeys(self.metrics, (right, own)) for name, own in found.items()},
            {"accuracy": accuracy, "macro f1": lambda gold, own: f1s(gold, own, count).mean(-1)},
            details={
                name: dict(
                    zip(names, map(float, f1s(right[None], own[None], count)[0]), strict=True)
                )
                for name, own in found.items()
            },
            base=base,
            resamples=resamples,
            seed=seed,
        )

    def baselines(self, rows: Sequence[LabelledText], **settings: Any) -> dict[str, list[str]]:
        """Return the most frequent class of the given texts for each text."""
        [(label, _)] = Counter(row.label for row in rows).most_common(1)
        return {MAJORITY: [label] * len(rows)}

    def oracle(self, rows: Sequence[LabelledText]) -> list[str]:
        """Return the right class of each text."""
        return [row.label for row in rows]

    def chance(self, rows: Sequence[LabelledText], seed: int = 0) -> list[str]:
        """Draw a class for each text from the right classes of all texts."""
        return [
            str(own) for own in np.random.default_rng(seed).choice(self.oracle(rows), len(rows))
        ]

    def check(self, rows: Sequence[LabelledText], head: Head, report: Report) -> None:
        """Report the classes that the head lacks, and refuse data without any class of the head."""
        there = {row.label for row in rows}
        missing = sorted(there - set(head.labels))
        if missing and len(missing) == len(there):
            raise UserError(
                f"the head knows none of the data's classes ({', '.join(missing[:6])})",
                todo=f"It gives {', '.join(head.labels[:12])}",
            )
        if missing:
            report(f"the head has no class {', '.join(missing)}: such texts count as wrong")

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``labels``."""
        return [
            *LOAD_HEAD,
            "names = {labels}",
            f"scores = states[:, 0] @ {LINEAR}",
            "labels = [names[number] for number in scores.argmax(1).tolist()]",
        ]


def class_answer(head: Head, probabilities: NDArray[np.float32]) -> Answer:
    """Return the most probable class and the probability of each class ``(classes,)``."""
    scores = dict(zip(head.labels, probabilities.tolist(), strict=True))
    return {"label": head.labels[int(probabilities.argmax())], "scores": scores}


def accuracy(gold: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute the share of equal numbers along the last axis."""
    share: NDArray[np.float64] = (gold == found).mean(-1)
    return share


def f1s(gold: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Compute the F1 of each class, 0 for a class that is neither right nor predicted anywhere.

    Args:
        gold: Right classes as numbers, ``(samples, n)``.
        found: Predicted classes as numbers, -1 for a class that is right nowhere, ``(samples, n)``.
        classes: Number of classes.

    Returns:
        ``(samples, classes)``.
    """
    scores = np.zeros((len(gold), classes))
    for number in range(classes):
        ours, theirs = gold == number, found == number
        total = ours.sum(-1) + theirs.sum(-1)
        scores[:, number] = 2 * (ours & theirs).sum(-1) / np.maximum(total, 1)
    return scores


def _numbers(labels: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    number = {name: i for i, name in enumerate(names)}
    return np.array([number.get(label, -1) for label in labels], dtype=np.int64)


Part = TextClassification()
