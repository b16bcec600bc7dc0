"""Multi-label classification: micro and macro F1 over labels, and the share of exact texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_texts
from xadapt.data.records import MultiLabelText
from xadapt.evaluation.comparison import Result, compare, mean, ratio_of_sums
from xadapt.evaluation.label_counts import LabelCounts, label_matrix
from xadapt.functional.thresholds import choose_thresholds
from xadapt.heads.head import Head
from xadapt.tasks.development import head_of
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD
from xadapt.tasks.label_options import Answer, LabelTask
from xadapt.tasks.predictor import MODULE, Predictor, first_scores
from xadapt.tasks.protocol import RESAMPLES, Option, Report, Request
from xadapt.training.active_module import ActiveModule

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer

FREQUENT, ALL = "most frequent label", "every label"
SHOWN = 12
"""The number of labels that the table of people shows; the JSON has all."""
Labels = tuple[str, ...]


class MultiLabelClassifier(Predictor):
    """A predictor of any number of labels by a head over the first token; made by `load`."""

    task: ClassVar[str] = "multi_label"

    def classify(
        self,
        texts: Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[Labels]:
        """Predict the labels of each text, by the head's thresholds.

        Args:
            texts: Any number of texts.
            languages: A tag for each text, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each text, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Returns:
            The labels of each text, in alphabetical order; none where none reaches its threshold.

        Raises:
            UserError: As for `AdaptedEncoder.encode`.
        """
        found = self.scores(texts, languages, compositions=compositions, cache=cache)
        return labels_of(self.head, found)

    def scores(
        self,
        texts: Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Predict the probability of each label: ``(n, labels)``, in the order of the head's.

        Args:
            texts: Any number of texts.
            languages: A tag for each text, or one for all.
            compositions: A composition for each text, or one for all.
            cache: Cached states from which the forward may start.

        Raises:
            UserError: If an argument is wrong, as for `classify`.
        """
        given = as_texts(texts)
        rows = self.adapted.activations(len(given), languages, compositions, cache)
        with rows.named():
            return probabilities(self.adapted.encoder, self.head, given, rows)


def probabilities(
    encoder: Encoder, head: Head, texts: Sequence[str], rows: Rows | None = None
) -> NDArray[np.float32]:
    """Predict the probability of each label of each text, ``(n, labels)``.

    Args:
        encoder: The encoder.
        head: The head.
        texts: Any number of texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    found = first_scores(encoder, head, encoder.tokenize(texts), rows=rows)
    return np.asarray(found.sigmoid().numpy(), dtype=np.float32)


def labels_of(head: Head, found: NDArray[np.float32]) -> list[Labels]:
    """Return the labels whose probability reaches the head's threshold, for each row."""
    given = found >= np.array(head.thresholds)
    return [tuple(head.labels[i] for i in np.flatnonzero(row)) for row in given]


class MultiLabelClassification(LabelTask):
    """Give each text any number of the head's labels."""

    name: ClassVar[str] = "multi_label"
    title: ClassVar[str] = (
        "Multi-label classification: micro and macro F1, subset accuracy; F1 by label."
    )
    record: ClassVar[type] = MultiLabelText
    metrics: ClassVar[tuple[str, ...]] = ("micro f1", "macro f1", "subset accuracy")
    task_type: ClassVar[str] = "text-classification"
    head: ClassVar[str | None] = "multi_label"
    predictor: ClassVar[type[Predictor]] = MultiLabelClassifier
    reader: ClassVar[str] = "multi_label_text"
    data_help: ClassVar[str] = "Texts with their labels, not seen before: TSV, CSV, JSONL, Parquet."
    does: ClassVar[str] = "gives a text any number of {} labels"
    short: ClassVar[Mapping[str, str]] = {"subset accuracy": "subset acc."}

    def measure(
        self,
        request: Request,
        *,
        columns: Annotated[
            str | None, Option("Columns of text and labels, by name or number, such as 2,3.")
        ] = None,
        label_separator: Annotated[
            str | None, Option("Sign between the labels in one cell, such as '|'.")
        ] = None,
    ) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        options = {} if label_separator is None else {"label_separator": label_separator}
        return self.measure_with(request, columns, options)

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[Any], active: Rows | None = None
    ) -> list[Labels]:
        """Predict the labels of each text."""
        return labels_of(head, probabilities(encoder, head, [row.text for row in rows], active))

    def answers(
        self, encoder: Encoder, head: Head, rows: Sequence[Any], active: Rows | None = None
    ) -> list[Answer]:
        """Predict labels and the probability of each label."""
        found = probabilities(encoder, head, [row.text for row in rows], active)
        return [
            {
                "text": row.text,
                "labels": list(labels),
                "scores": dict(zip(head.labels, own, strict=True)),
            }
            for row, labels, own in zip(rows, labels_of(head, found), found.tolist(), strict=True)
        ]

    def evaluate(
        self,
        rows: Sequence[MultiLabelText],
        systems: Mapping[str, Sequence[Iterable[str]]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score the labels of texts.

        Micro F1 counts all labels of all texts together. Macro F1 is the mean F1 of the labels that
        stand in the data. Subset accuracy is the share of texts with exactly the right labels. The
        last rows give each text the most frequent label of the given texts, and all of their
        labels.

        Args:
            rows: The texts with their labels.
            systems: Predictions by system name, any number of labels for each text.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over texts.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no texts, none has a label, or a system does not answer each
                text.
        """
        if not rows:
            raise UserError("there are no texts to evaluate on")
        names = sorted({label for row in rows for label in row.labels})
        if not names:
            raise UserError("none of these texts has a label: there is nothing to find")
        every = {**systems, **self.baselines(rows)}
        for name, found in every.items():
            if len(found) != len(rows):
                raise UserError(f"{name} answers {len(found)} of {len(rows)} texts")
        counts = [
            LabelCounts.of([row.labels for row in rows], found, names) for found in every.values()
        ]
        index = np.arange(len(rows))
        result = compare(
            self.name,
            self.unit,
            {
                name: {
                    "micro f1": own.micro,
                    "macro f1": (index, np.full(len(rows), number)),
                    "subset accuracy": (own.exact,),
                }
                for number, (name, own) in enumerate(zip(every, counts, strict=True))
            },
            {
                "micro f1": ratio_of_sums,
                "macro f1": lambda drawn, which: counts[int(which.flat[0])].macro(drawn),
                "subset accuracy": mean,
            },
            details={name: own.f1s(names) for name, own in zip(every, counts, strict=True)},
            base=base,
            resamples=resamples,
            seed=seed,
        )
        told = [
            replace(row, more={"labels": own.by_label(names)})
            for row, own in zip(result.rows, counts, strict=True)
        ]
        return replace(result, rows=tuple(told))

    def table(self, result: Result) -> Table:
        """Render the scores, and below them precision, recall and F1 of each label."""
        table = super().table(result)
        if MODULE not in result:
            return table
        own = result[MODULE].more["labels"]
        wide = min(max(map(len, own)), 34)
        lines = [f"{'label':{wide}}   texts  precision  recall     F1"]
        for name, one in sorted(own.items(), key=lambda item: -item[1]["texts"])[:SHOWN]:
            shown = name if len(name) <= wide else f"{name[: wide - 2]}.."
            numbers = f"{one['precision']:11.3f}{one['recall']:8.3f}{one['f1']:7.3f}"
            lines.append(f"{shown:{wide}}{one['texts']:8}{numbers}")
        if len(own) > SHOWN:
            lines.append(f"and {len(own) - SHOWN} further labels")
        table.caption = "\n".join([*filter(None, [table.caption]), *lines])  # type: ignore[list-item]
        return table

    def baselines(self, rows: Sequence[MultiLabelText], **settings: Any) -> dict[str, list[Labels]]:
        """Return the most frequent label for each text, and all labels for each text."""
        counts = Counter(label for row in rows for label in row.labels)
        [(label, _)] = counts.most_common(1) or [("", 0)]
        return {FREQUENT: [(label,)] * len(rows), ALL: [tuple(sorted(counts))] * len(rows)}

    def oracle(self, rows: Sequence[MultiLabelText]) -> list[Labels]:
        """Return the right labels of each text."""
        return [row.labels for row in rows]

    def chance(self, rows: Sequence[MultiLabelText], seed: int = 0) -> list[Labels]:
        """Draw the labels of another text for each text."""
        drawn = np.random.default_rng(seed).integers(len(rows), size=len(rows))
        return [rows[i].labels for i in drawn]

    def check(self, rows: Sequence[MultiLabelText], head: Head, report: Report) -> None:
        """Report the labels that the head lacks, and refuse data without any label of the head."""
        there = {label for row in rows for label in row.labels}
        missing = sorted(there - set(head.labels))
        if missing and len(missing) == len(there):
            raise UserError(
                f"the head knows none of the data's labels ({', '.join(missing[:6])})",
                todo=f"It gives {', '.join(head.labels[:12])}",
            )
        if missing:
            report(f"the head has no label {', '.join(missing[:12])}: it counts as never found")

    def scores(
        self, trainer: Trainer, dev: Sequence[Any], cache: Kept | None = None
    ) -> dict[str, float]:
        """Score the run's head by micro F1, with thresholds chosen as at the end of the run.

        Where no label is found yet, the score is the negative mean cross-entropy, so that later
        modules are still told from earlier ones.
        """
        head = head_of(trainer, self.head)
        assert head is not None
        gold = _gold(dev, head)
        found = self._probabilities(trainer.encoder, trainer.active_module, dev, head, cache)
        given = found >= np.array(_chosen(head, found, gold))
        right, total = (given & gold).sum(), given.sum() + sum(len(row.labels) for row in dev)
        if right:
            return {"score": float(2 * right / total)}
        clipped = np.clip(np.where(gold, found, 1 - found).astype(np.float64), 1e-12, 1)
        return {"score": float(np.log(clipped).mean())}

    def calibrate(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[Any],
        head: Head,
        cache: Kept | None = None,
    ) -> None:
        """Choose the head's thresholds on the development part, if the run asks for it."""
        if head.threshold_choice:
            found = self._probabilities(encoder, ActiveModule(encoder, module), dev, head, cache)
            head.thresholds = tuple(_chosen(head, found, _gold(dev, head)))

    def _probabilities(
        self,
        encoder: Encoder,
        acting: ActiveModule,
        dev: Sequence[Any],
        head: Head,
        cache: Kept | None,
    ) -> NDArray[np.float32]:
        active = acting.rows([self.language(row) for row in dev], cache)
        return probabilities(encoder, head, [row.text for row in dev], active)

    def card_text(self, head: Head) -> str:
        """Return what the head does, and where its thresholds come from."""
        does = super().card_text(head)
        values = sorted(set(head.thresholds))
        shown = f"{values[0]:.3g}" if len(values) == 1 else f"{values[0]:.3g} to {values[-1]:.3g}"
        how = ", chosen on the development split" if head.threshold_choice else ""
        return f"{does}, each from the probability {shown} on{how}"

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``labels``."""
        single = len(set(head.thresholds)) == 1
        stored = 'json.load(open(f"{folder}/xadapt.json"))["head"]["thresholds"]'
        return [
            *LOAD_HEAD,
            *([] if single else ["import json", f"thresholds = {stored}"]),
            *([f"thresholds = [{head.thresholds[0]!r}] * {len(head.labels)}"] if single else []),
            "names = {labels}",
            f"scores = (states[:, 0] @ {LINEAR}).sigmoid().tolist()",
            "labels = [[n for n, s, t in zip(names, row, thresholds) if s >= t] for row in scores]",
        ]


def _chosen(head: Head, found: NDArray[np.float32], gold: NDArray[np.bool_]) -> Sequence[float]:
    if not head.threshold_choice:
        return head.thresholds
    return choose_thresholds(found, gold, head.threshold_choice)


def _gold(rows: Sequence[MultiLabelText], head: Head) -> NDArray[np.bool_]:
    """Return whether each text has each label of a head, ``(n, labels)``."""
    return label_matrix([row.labels for row in rows], head.labels)


Part = MultiLabelClassification()
