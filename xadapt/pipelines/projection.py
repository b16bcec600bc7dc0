"""What a projection of labels is: sentences with their spans, and a log of what was dropped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from xadapt.core.files import atomic_file
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.word_columns import conll_text
from xadapt.data.records import TaggedSentence
from xadapt.functional.tag_scheme import Span

UNTRANSLATED = "the sentence has no translation"
LEFT_OUT = "; the sentence is left out"
OUTSIDE = "the span is empty or leaves its sentence" + LEFT_OUT
OVERLAPPING = "the span overlaps another one of its sentence" + LEFT_OUT
WITH_IT = "another span of its sentence is faulty or was not projected" + LEFT_OUT
Words = Sequence[str]


@dataclass(frozen=True)
class Drop:
    """A span that gave no span of its own.

    Attributes:
        row: Number of the sentence, from 1.
        where: Place of the sentence in its file.
        text: The words of the span.
        type: Its type.
        start: Its first word, from 0.
        end: The word behind it.
        reason: Why, in a few words.
    """

    row: int
    where: str
    text: str
    type: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of one sentence.

    Attributes:
        words: The words of its translation; none if it has no translation.
        spans: Spans over them.
        dropped: By place of a source span that gave no span of its own, the reason.
        left_out: Whether the sentence is no row of the result.
        score: The mean log-probability of a token of the outputs with markers, if there are such.
    """

    words: Words
    spans: Sequence[Span] = ()
    dropped: Mapping[int, str] = field(default_factory=dict)
    left_out: bool = False
    score: float | None = None


@dataclass(frozen=True)
class Projection:
    """A labelled corpus in the other language.

    Attributes:
        rows: The translations with their spans, as `TaggedSentence`.
        numbers: The number of each row's source sentence, from 1.
        drops: The spans that were not projected.
        source_spans: Number of spans of the source.
        scores: For each row `Outcome.score`.
    """

    rows: list[TaggedSentence]
    numbers: list[int]
    drops: list[Drop]
    source_spans: int
    scores: list[float | None] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The share of source spans that have a span of their own in the translation."""
        return 1 - len(self.drops) / self.source_spans if self.source_spans else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return counts, the projection rate, and the number of drops by reason."""
        return {
            "sentences": len(self.rows),
            "source_spans": self.source_spans,
            "spans": sum(len(row.spans) for row in self.rows),
            "projection_rate": self.rate,
            "dropped": dict(Counter(drop.reason for drop in self.drops).most_common()),
        }


def faults_of(row: TaggedSentence) -> dict[int, str]:
    """Return the reasons why a sentence can't be projected, by place of its spans; mostly none."""
    length = len(row.words)
    found = {
        place: OUTSIDE
        for place, (start, end, _) in enumerate(row.spans)
        if not 0 <= start < end <= length
    }
    order = sorted(range(len(row.spans)), key=lambda place: row.spans[place][:2])
    for one, other in pairwise(order):
        if row.spans[other][0] < row.spans[one][1]:
            found.setdefault(other, OVERLAPPING)
    return {place: found.get(place, WITH_IT) for place in range(len(row.spans))} if found else {}


def collected(
    rows: Sequence[TaggedSentence], outcomes: Sequence[Outcome], lang: str, whole: bool = False
) -> Projection:
    """Make a projection of what became of each sentence.

    Args:
        rows: The labelled sentences.
        outcomes: What became of each.
        lang: Language of the translations.
        whole: Whether a sentence that lost a span is left out.
    """
    made = Projection([], [], [], sum(len(row.spans) for row in rows))
    for number, (row, own) in enumerate(zip(rows, outcomes, strict=True), 1):
        for place, reason in sorted(own.dropped.items()):
            start, end, name = row.spans[place]
            text = " ".join(row.words[max(start, 0) : max(end, 0)])
            made.drops.append(Drop(number, row.origin, text, name, start, end, reason))
        if own.words and not own.left_out and not (whole and own.dropped):
            spans = tuple(sorted(own.spans))
            made.rows.append(TaggedSentence(tuple(own.words), spans, lang, origin=row.origin))
            made.numbers.append(number)
            made.scores.append(own.score)
    return made


def lost(row: TaggedSentence, reason: str) -> Outcome:
    """Return the outcome of a sentence that is left out with all its spans."""
    every = range(len(row.spans))
    return Outcome((), (), dict.fromkeys(every, reason + LEFT_OUT), left_out=True)


def write(made: Projection, out: str | Path | None, log: str | Path | None) -> None:
    """Write the log, then the corpus, so that a corpus never stands without its log."""
    if log is not None:
        with atomic_file(log) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(_line(vars(drop)) for drop in made.drops)
    if out is None:
        return
    lines = has_suffix(str(out), ".jsonl")
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row, number, score in zip(made.rows, made.numbers, made.scores, strict=True):
            values = {"id": number, "lang": row.lang, "tokens": row.words, "spans": row.spans}
            if score is not None:
                values["score"] = round(score, 4)
            stream.write(_line(values) if lines else conll_text(row))


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"
