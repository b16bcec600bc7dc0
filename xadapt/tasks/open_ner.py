"""Open NER: spans of labels that are given as texts, also of labels that no training had."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.comparison import Result, compare, ratio_of_sums
from xadapt.functional.open_spans import as_text, without_overlap
from xadapt.functional.tag_scheme import Span
from xadapt.heads.head import Head
from xadapt.heads.span_label_head import SpanLabelHead
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.predictor import BASELINE, MODULE, Languages, Predictor, load_each
from xadapt.tasks.protocol import RESAMPLES, Option, Request, read_rows
from xadapt.tasks.span_labeller import Scored, SpanLabeller, best_threshold, probabilities
from xadapt.training.active_module import ActiveModule

EVERY = "every word"
SEEN, UNSEEN = "labels of the training", "labels not of the training"


class OpenNER(HeadTask):
    """Find the spans of labels that are given as texts."""

    name: ClassVar[str] = "open_ner"
    title: ClassVar[str] = "Spans of any labels, given as texts: F1, also of labels never seen."
    record: ClassVar[type] = TaggedSentence
    metrics: ClassVar[tuple[str, ...]] = ("f1",)
    task_type: ClassVar[str] = "token-classification"
    head: ClassVar[str | None] = "span_labelling"
    predictor: ClassVar[type[Predictor]] = SpanLabeller
    reader: ClassVar[str] = "conll"
    data_help: ClassVar[str] = "Sentences with labelled spans the module has not seen."
    details_title: ClassVar[str] = "F1 by label"
    does: ClassVar[str] = "finds spans of labels given as texts; {} labels were trained"

    def predict(
        self,
        encoder: Encoder,
        head: Head,
        rows: Sequence[TaggedSentence],
        active: Rows | None = None,
    ) -> list[tuple[Span, ...]]:
        """Find the spans of all labels of the records."""
        assert isinstance(head, SpanLabelHead)
        scored = _scored(encoder, head, rows, active)
        return [without_overlap(own, float(head.threshold)) for own in scored]

    def calibrate(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[Any],
        head: Head,
        cache: Kept | None = None,
    ) -> None:
        """Choose the head's threshold on the development part: for texts of other languages."""
        assert isinstance(head, SpanLabelHead)
        active = ActiveModule(encoder, module).rows([self.language(row) for row in dev], cache)
        head.threshold.fill_(best_threshold(_scored(encoder, head, dev, active), dev))

    def settings(self, head: Head) -> dict[str, Any]:
        """Return the labels that the head was trained with."""
        return {"seen": head.labels}

    def evaluate(
        self,
        rows: Sequence[TaggedSentence],
        systems: Mapping[str, Sequence[Sequence[Span]]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        seen: Sequence[str] = (),
    ) -> Result:
        """Score spans: micro ``f1`` of exact spans with their label.

        The details are the F1 of each label, and of the labels that were and were not trained. The
        last row gives each word the most frequent label.

        Args:
            rows: The sentences with their spans.
            systems: Spans by system name, for each sentence.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over sentences.
            seed: Seed of the bootstrap.
            seen: The labels of the training.

        Raises:
            UserError: If there are no sentences, or a system has spans of another number.
        """
        if not rows:
            raise UserError("there are no sentences to evaluate on")
        every = {**systems, **self.baselines(rows)}
        for name, found in every.items():
            if len(found) != len(rows):
                raise UserError(f"{name} gives spans of {len(found)} for {len(rows)} sentences")
        labels = labels_of(rows)
        known = {as_text(label).casefold() for label in seen}
        groups = {SEEN: [x for x in labels if as_text(x).casefold() in known]}
        groups[UNSEEN] = [x for x in labels if as_text(x).casefold() not in known]
        groups = {name: own for name, own in groups.items() if own and len(own) < len(labels)}
        return compare(
            self.name,
            self.unit,
            {name: {"f1": list(_parts(rows, found).T)} for name, found in every.items()},
            {"f1": ratio_of_sums},
            details={
                name: {
                    group: _f1(rows, found, set(own))
                    for group, own in ({x: [x] for x in labels} | groups).items()
                }
                for name, found in every.items()
            },
            facts={
                "labels": len(labels),
                "unseen": [x for x in labels if as_text(x).casefold() not in known],
            },
            base=base,
            resamples=resamples,
            seed=seed,
        )

    def baselines(
        self, rows: Sequence[TaggedSentence], **settings: Any
    ) -> dict[str, list[tuple[Span, ...]]]:
        """Return the most frequent label of the given sentences for each word."""
        counts = Counter(name for row in rows for *_, name in row.spans)
        most = min(counts, key=lambda name: (-counts[name], name)) if counts else ""
        return {EVERY: [tuple((i, i + 1, most) for i in range(len(row.words))) for row in rows]}

    def oracle(self, rows: Sequence[TaggedSentence]) -> list[tuple[Span, ...]]:
        """Return the right spans."""
        return [tuple(row.spans) for row in rows]

    def chance(self, rows: Sequence[TaggedSentence], seed: int = 0) -> list[tuple[Span, ...]]:
        """Return as many spans of one word at random words, with shuffled labels."""
        rng = random.Random(seed)
        labels = [name for row in rows for *_, name in row.spans]
        rng.shuffle(labels)
        dealt = iter(labels)
        return [
            tuple((at, at + 1, next(dealt)) for at in rng.sample(range(len(row.words)), own))
            for row in rows
            for own in [len(row.spans)]
        ]

    def measure(
        self,
        request: Request,
        *,
        names: Annotated[
            str | None, Option('A JSON file with the text of each label: {"PER": "person"}.')
        ] = None,
        threshold: Annotated[
            float | None,
            Option("The probability from which a span is given; else the module's own."),
        ] = None,
        threshold_data: Annotated[
            str | None, Option("Labelled sentences of other languages to choose it on.")
        ] = None,
        orders: Annotated[
            int, Option("Further orders of the labels, to see how much they matter.", minimum=0)
        ] = 0,
    ) -> Result:
        """Measure a head under a composition, and under a baseline if there is one."""
        if threshold is not None and not 0 < threshold < 1:
            raise UserError("a threshold is between 0 and 1", where="--threshold")
        texts = {} if names is None else read_names(names)
        rows = renamed(read_rows(self.reader, request.data, request.tag or self.read_as), texts)
        other = [] if threshold_data is None else read_rows(self.reader, threshold_data, "und")
        other = renamed(other, texts)
        each = load_each(
            SpanLabeller,
            request.base,
            request.modules,
            compose=request.compose,
            baseline=request.baseline,
            head=request.head,
            dtype=request.dtype,
        )
        tags = None if request.tag is None else [request.tag] * len(rows)
        found, chosen = {}, {}
        for name, one in each.items():
            assert isinstance(one.head, SpanLabelHead)
            chosen[name] = float(one.head.threshold) if threshold is None else threshold
            if other:
                scored = _asked(one, other, tags and [request.tag] * len(other))
                chosen[name] = best_threshold(scored, other)
            scored = _asked(one, rows, tags)
            found[name] = [without_overlap(own, chosen[name]) for own in scored]
        head = each[MODULE].head
        base = BASELINE if BASELINE in each else None
        result = self.score(request, rows, found, base, **self.settings(head))
        facts = {**result.facts, "threshold": chosen[MODULE]}
        if orders:
            facts["f1_by_order"] = _by_order(each[MODULE], rows, tags, chosen[MODULE], orders)
        return replace(result, facts=facts)

    def heading(self, result: Result) -> str:
        """Return the title with the numbers of sentences and labels."""
        return f"{result.count} sentences, {result.facts['labels']} labels"


def _by_order(
    one: SpanLabeller,
    rows: Sequence[TaggedSentence],
    tags: Languages,
    threshold: float,
    orders: int,
) -> list[float]:
    """Compute the F1 with the labels in other orders."""
    labels, made = labels_of(rows), []
    for seed in range(orders):
        scored = _asked(one, rows, tags, random.Random(seed).sample(labels, len(labels)))
        found = [without_overlap(own, threshold) for own in scored]
        made.append(_f1(rows, found, set(labels)))
    return made


def _scored(
    encoder: Encoder, head: Head, rows: Sequence[TaggedSentence], active: Rows | None
) -> list[Scored]:
    """Score the spans of records for all labels that these have."""
    texts = {as_text(label): label for label in labels_of(rows)}
    scored = probabilities(encoder, head, [row.words for row in rows], list(texts), active)
    return _with_labels(scored, texts)


def _asked(
    one: SpanLabeller,
    rows: Sequence[TaggedSentence],
    tags: Languages,
    labels: Sequence[str] | None = None,
) -> list[Scored]:
    """Score the spans of records for their labels, or for these labels in this order."""
    texts = {as_text(label): label for label in labels or labels_of(rows)}
    return _with_labels(one.probabilities([row.words for row in rows], list(texts), tags), texts)


def _with_labels(scored: Sequence[Scored], labels: Mapping[str, str]) -> list[Scored]:
    """Return scored spans with the labels of the data in place of their texts."""
    return [[(p, (a, b, labels[text])) for p, (a, b, text) in own] for own in scored]


def labels_of(rows: Sequence[TaggedSentence]) -> list[str]:
    """Return the labels of records, sorted.

    Raises:
        UserError: If no record has a span.
    """
    found = sorted({name for row in rows for *_, name in row.spans})
    if not found:
        raise UserError(f"none of the {len(rows)} sentences has a labelled span")
    return found


def renamed(rows: Sequence[TaggedSentence], names: Mapping[str, str]) -> list[TaggedSentence]:
    """Return records with other texts of their labels; a label without one keeps its own."""
    return [
        replace(row, spans=tuple((a, b, names.get(name, name)) for a, b, name in row.spans))
        for row in rows
    ]


def read_names(path: str) -> dict[str, str]:
    """Read the texts of labels.

    Raises:
        UserError: If the file is no JSON object of labels to texts.
    """
    found = read_json(path)
    if not isinstance(found, dict) or not all(
        isinstance(text, str) and text.strip() for text in found.values()
    ):
        raise UserError(
            "this is no object of labels to texts", where=path, todo='Write {"PER": "person"}'
        )
    return dict(found)


def _parts(rows: Sequence[TaggedSentence], found: Sequence[Sequence[Span]]) -> NDArray[np.float64]:
    parts = []
    for row, given in zip(rows, found, strict=True):
        wanted, own = set(row.spans), set(given)
        parts.append((2 * len(wanted & own), len(wanted) + len(own)))
    return np.array(parts, dtype=np.float64)


def _f1(rows: Sequence[TaggedSentence], found: Sequence[Sequence[Span]], labels: set[str]) -> float:
    """Compute the micro F1 of the spans with one of some labels."""
    hits = total = 0
    for row, given in zip(rows, found, strict=True):
        wanted = {span for span in row.spans if span[2] in labels}
        own = {span for span in given if span[2] in labels}
        hits, total = hits + 2 * len(wanted & own), total + len(wanted) + len(own)
    return hits / total if total else 0.0


Part = OpenNER()
