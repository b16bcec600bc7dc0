"""Relations between two entities of a text: F1 over all relations but the negative one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.backbones.encoder.windows import tell
from xadapt.backbones.finite import require_finite
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.data.records import RelationExample
from xadapt.evaluation.comparison import Result, compare
from xadapt.functional.entity_tags import Span, span_fault
from xadapt.heads.head import RELATION, Head
from xadapt.heads.relation_head import RelationHead
from xadapt.injection.attachment import embedding_table
from xadapt.objectives.relation import marked_rows
from xadapt.tasks.classification import f1s
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.predictor import Languages, Predictor
from xadapt.tasks.protocol import RESAMPLES, Option, Report, Request, read_rows
from xadapt.tasks.spans import que_known

MICRO, PRECISION, RECALL, MACRO = "micro f1", "precision", "recall", "macro f1"
MAJORITY = "most frequent relation"
NEGATIVE = ("no_relation", "Other")
"""The labels of texts without a relation, in TACRED and KBP37, and in SemEval-2010 task 8."""
Counts = NDArray[np.int64]


class RelationClassifier(Predictor):
    """A predictor of the relation between two entities of a text; made by `load`."""

    task: ClassVar[str] = RELATION

    def relations(
        self,
        texts: Sequence[tuple[str, Span, Span]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> list[str]:
        """Predict the relation of each text.

        Args:
            texts: Texts with the spans of head and tail, ``(start, end)`` in characters, half-open.
            languages: A tag for each text, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each text, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Raises:
            UserError: As for `AdaptedEncoder.encode`, or if a span leaves its text.
        """
        found = self.scores(texts, languages, compositions=compositions, cache=cache)
        return [self.head.labels[number] for number in found.argmax(1).tolist()]

    def scores(
        self,
        texts: Sequence[tuple[str, Span, Span]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Predict the probability of each relation: ``(n, relations)``, in the head's order.

        Args:
            texts: As for `relations`, also the next three.
            languages: A tag for each text, or one for all.
            compositions: A composition for each text, or one for all.
            cache: Cached states from which the forward may start.

        Raises:
            UserError: If an argument is wrong, as for `relations`.
        """
        records = [_record(one, number) for number, one in enumerate(texts)]
        rows = self.adapted.activations(len(records), languages, compositions, cache)
        with rows.named():
            return probabilities(self.adapted.encoder, self.head, records, rows)


def _record(given: Any, number: int) -> RelationExample:
    if isinstance(given, RelationExample):
        given = (given.text, given.head, given.tail, given.types)
    try:
        text, head, tail, *types = given
        fault = span_fault(text, tuple(head), tuple(tail))
    except (TypeError, ValueError, AttributeError):
        fault = "it is no (text, (start, end), (start, end))"
    if fault:
        raise UserError(f"text {number}: {fault}", todo="Spans count characters, half-open")
    return RelationExample(text, tuple(head), tuple(tail), "", "und", *types)


def probabilities(
    encoder: Encoder, head: Head, records: Sequence[RelationExample], rows: Rows | None = None
) -> NDArray[np.float32]:
    """Predict the probability of each relation of each text, ``(n, relations)``.

    Args:
        encoder: The encoder.
        head: The head.
        records: The texts; their relations are not read.
        rows: The activation of the texts, whose module has the vectors of the markers.
    """
    assert isinstance(head, RelationHead)
    made = marked_rows(
        records,
        partial(tokenize_places, encoder),
        encoder.tokenizer,
        embedding_table(encoder).num_embeddings,
        encoder.max_length,
        types="types" in head.sizes,
    )
    shortened = sum(row.shortened > 0 for row in made)
    if shortened:
        tell(
            f"{shortened:,} text{'s are' if shortened > 1 else ' is'} longer than the "
            f"{encoder.max_length} tokens of a row: what is farthest from both entities is left out"
        )
    found = torch.zeros(len(made), len(head.labels))
    states = token_states(encoder, [row.ids for row in made], rows=rows)
    with torch.inference_mode(), que_known("the entity markers"):
        for chunk, values in states:
            markers = torch.tensor([(made[i].head, made[i].tail) for i in chunk])
            found[chunk] = head.scores(values, markers).cpu()
            require_finite(found[chunk], chunk, "scores")
    return np.asarray(found.softmax(1), dtype=np.float32)


class RelationExtraction(HeadTask):
    """Find the relation between a head and a tail in a text."""

    name: ClassVar[str] = "relation"
    title: ClassVar[str] = (
        "Relations between two entities of a text: F1 without the negative class, by language."
    )
    record: ClassVar[type] = RelationExample
    metrics: ClassVar[tuple[str, ...]] = (MICRO, PRECISION, RECALL, MACRO)
    task_type: ClassVar[str] = "text-classification"
    head: ClassVar[str | None] = RELATION
    predictor: ClassVar[type[Predictor]] = RelationClassifier
    reader: ClassVar[str] = "relations"
    data_help: ClassVar[str] = (
        "Texts with two marked entities and a relation: TACRED's JSON, JSON lines, or text with "
        "<e1> and <e2> as SemEval-2010, KBP37 and RELX have it."
    )
    details_title: ClassVar[str] = "Micro F1 by language, or F1 by relation"
    does: ClassVar[str] = "gives two entities of a text one of {} relations"

    def read(self, request: Request) -> tuple[list[Any], Languages]:
        """Read the records; a row of JSON may name its own language."""
        rows = read_rows(self.reader, request.data, request.tag or self.read_as)
        known = {row.lang for row in rows} != {self.read_as}
        return rows, [row.lang for row in rows] if known else None

    def measure(  # type: ignore[override]
        self,
        request: Request,
        *,
        negative: Annotated[
            str | None,
            Option("The label of no relation. Without it: no_relation and Other."),
        ] = None,
    ) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        rows, languages = self.read(request)
        if negative is None:
            return self.measure_records(request, rows, languages)
        if all(row.relation != negative for row in rows):
            request.report(f"no text has the relation {negative!r}, which counts as none")
        return _Named(negative).measure_records(request, rows, languages)

    def predict(
        self,
        encoder: Encoder,
        head: Head,
        rows: Sequence[RelationExample],
        active: Rows | None = None,
    ) -> list[str]:
        """Predict the relation of each text."""
        found = probabilities(encoder, head, rows, active)
        return [head.labels[number] for number in found.argmax(1).tolist()]

    def evaluate(
        self,
        rows: Sequence[RelationExample],
        systems: Mapping[str, Sequence[str]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        negative: Sequence[str] = NEGATIVE,
    ) -> Result:
        """Score relations of texts.

        Micro F1 counts a text as found if it gets a relation other than the negative one, and as
        right if that is its own. Macro F1 is the mean F1 of the relations that the texts have. The
        last row gives each text the most frequent relation. The details of a row are the micro F1
        by language if there are several, else the F1 of each relation.

        Source: the scorer of TACRED, Zhang et al. 2017, https://aclanthology.org/D17-1004.

        Args:
            rows: The texts with their relations.
            systems: Predictions by system name, one relation a text.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over texts.
            seed: Seed of the bootstrap.
            negative: The labels that stand for no relation.

        Raises:
            UserError: If there are no texts, none has a relation, or a system's relations are not
                one a text.
        """
        if not rows:
            raise UserError("there are no texts to evaluate on")
        names = sorted({row.relation for row in rows} - set(negative))
        if not names:
            raise UserError(
                f"no text has a relation other than {', '.join(negative)}", where=rows[0].origin
            )
        number = {name: i for i, name in enumerate(names, 1)} | dict.fromkeys(negative, 0)

        def numbers(labels: Sequence[str]) -> Counts:
            return np.array([number.get(label, -1) for label in labels], dtype=np.int64)

        gold = numbers([row.relation for row in rows])
        found = {}
        for name, labels in {**systems, **self.baselines(rows, negative=negative)}.items():
            if len(labels) != len(rows):
                raise UserError(f"{name} gives {len(labels)} relations for {len(rows)} texts")
            found[name] = numbers(labels)
        langs = np.array([row.lang for row in rows])
        places = {str(lang): langs == lang for lang in sorted(set(langs))}

        def details(own: Counts) -> dict[str, float]:
            if len(places) > 1:
                return {
                    lang: float(micro_f1(gold[None, at], own[None, at])[0])
                    for lang, at in places.items()
                }
            each = f1s(gold[None], own[None], len(names) + 1)[0, 1:]
            return dict(zip(names, map(float, each), strict=True))

        return compare(
            self.name,
            self.unit,
            {name: dict.fromkeys(self.metrics, (gold, own)) for name, own in found.items()},
            {
                MICRO: micro_f1,
                PRECISION: precision,
                RECALL: recall,
                MACRO: lambda gold, own: f1s(gold, own, len(names) + 1)[:, 1:].mean(-1),
            },
            details={name: details(own) for name, own in found.items()},
            base=base,
            resamples=resamples,
            seed=seed,
            facts={"without_relation": int((gold == 0).sum()), "negative": list(negative)},
        )

    def baselines(self, rows: Sequence[RelationExample], **settings: Any) -> dict[str, list[str]]:
        """Return the most frequent relation of the given texts for each text."""
        none = settings.get("negative", NEGATIVE)
        counts = Counter(row.relation for row in rows if row.relation not in none)
        [(label, _)] = counts.most_common(1)
        return {MAJORITY: [label] * len(rows)}

    def oracle(self, rows: Sequence[RelationExample]) -> list[str]:
        """Return the right relation of each text."""
        return [row.relation for row in rows]

    def chance(self, rows: Sequence[RelationExample], seed: int = 0) -> list[str]:
        """Draw a relation for each text from the right relations of all texts."""
        drawn = np.random.default_rng(seed).choice(self.oracle(rows), len(rows))
        return [str(own) for own in drawn]

    def check(self, rows: Sequence[RelationExample], head: Head, report: Report) -> None:
        """Report the relations that the head lacks; refuse data without any that it knows."""
        there = {row.relation for row in rows}
        missing = sorted(there - set(head.labels))
        if missing and len(missing) == len(there):
            raise UserError(
                f"the head knows none of the data's relations ({', '.join(missing[:6])})",
                todo=f"It gives {', '.join(head.labels[:12])}",
            )
        if missing:
            report(f"the head has no relation {', '.join(missing)}: such texts count as wrong")


class _Named(RelationExtraction):
    """The task with another label of no relation."""

    def __init__(self, negative: str) -> None:
        self.negative = negative

    def settings(self, head: Head) -> dict[str, Any]:
        return {"negative": (self.negative,)}


def _ratio(right: Counts, of: Counts) -> NDArray[np.float64]:
    return np.divide(right, of, out=np.zeros(len(of)), where=of > 0)


def _right(gold: Counts, found: Counts) -> Counts:
    return np.asarray(((gold == found) & (gold != 0)).sum(-1))


def micro_f1(gold: Counts, found: Counts) -> NDArray[np.float64]:
    """Compute F1 over all texts: of relations that were found, and of those that are there.

    Args:
        gold: Right relations as numbers, 0 for none, ``(samples, n)``.
        found: Predicted relations, 0 for none, -1 for one that no text has, ``(samples, n)``.

    Returns:
        ``(samples,)``; 0 where no relation is there or found.
    """
    return _ratio(2 * _right(gold, found), (gold != 0).sum(-1) + (found != 0).sum(-1))


def precision(gold: Counts, found: Counts) -> NDArray[np.float64]:
    """Compute the share of found relations that are right; the arguments are of `micro_f1`."""
    return _ratio(_right(gold, found), (found != 0).sum(-1))


def recall(gold: Counts, found: Counts) -> NDArray[np.float64]:
    """Compute the share of relations that are found; the arguments are of `micro_f1`."""
    return _ratio(_right(gold, found), (gold != 0).sum(-1))


Part = RelationExtraction()
