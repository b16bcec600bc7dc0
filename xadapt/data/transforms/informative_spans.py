"""Informative spans: names in one sentence, and their counterparts in its translation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from xadapt.data.records import AlignedSpans, ParallelPair, Record
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.functional.simple_words import simple_words

Span = tuple[int, int]
BLOCK = 1024


@dataclass(frozen=True)
class InformativeSpans:
    """Find spans of the pivot sentence and their counterparts by word alignment.

    The counterpart of a span is the run of words from the first to the last word that is linked to
    it. A span is dropped if it has no link, if a word of the run is linked to a word outside of the
    span, if a side is longer than ``max_words``, or if all its words are stop words. Pairs without
    any span are dropped.

    Source: Chen et al. 2022 (CLISM), https://arxiv.org/abs/2204.05210, section 4.1, with spaCy's
    entities and GIZA++; the test of links is that of Koehn et al. 2003,
    https://aclanthology.org/N03-1017, section 3.1. Stop words there are a list; here they are the
    most frequent words of the data.

    Attributes:
        find: ``capitalised``: runs of words with a capital letter, without a first word alone.
            ``tagger``: the spans of a tagging module. ``column``: the spans that the data give.
        tagger: Folder of the tagging module.
        aligner: Folder of a module through which words are aligned; by default the base alone.
        max_words: Largest number of words of a span, on both sides.
        stop_words: Number of the most frequent words of the data that are no span by themselves.
        per_pair: Largest number of spans of a pair; the first ones are kept.
    """

    find: Literal["capitalised", "tagger", "column"] = "capitalised"
    tagger: str = ""
    aligner: str = ""
    max_words: int = 10
    stop_words: int = 100
    per_pair: int = 3

    gives: ClassVar[type] = AlignedSpans
    applies: ClassVar[Applies] = "all"

    def __post_init__(self) -> None:
        if (self.find == "tagger") != bool(self.tagger):
            raise ValueError("find: tagger needs tagger: FOLDER, and nothing else takes it")
        if min(self.max_words, self.per_pair) < 1 or self.stop_words < 0:
            raise ValueError("max_words and per_pair must be at least 1, stop_words at least 0")

    @property
    def consumes(self) -> type[Record]:
        """The input record class: pairs with spans for ``column``, else parallel text."""
        return AlignedSpans if self.find == "column" else ParallelPair

    @property
    def needs(self) -> tuple[str, ...]:
        """The callables: ``align``, and ``tag`` for a tagger."""
        return ("align", "tag") if self.find == "tagger" else ("align",)

    def apply(self, records: Sequence[Any], services: Services) -> list[AlignedSpans]:
        """Make one record of each pair with at least one span; the log has their number."""
        made: list[AlignedSpans] = []
        spans = 0
        frequent = _frequent(records, self.stop_words)
        rows = list(services.track(records, "finding spans"))
        for start in range(0, len(rows), BLOCK):
            for record in self._block(rows[start : start + BLOCK], frequent, services):
                spans += len(record.spans)
                made.append(record)
        services.log(f"{len(made)} of {len(records)} pairs have spans, {spans} in all")
        return made

    def _block(
        self, rows: Sequence[Any], frequent: Collection[str], services: Services
    ) -> Iterable[AlignedSpans]:
        sides = [_sides(row) for row in rows]
        found = self._found(rows, [pivot for pivot, _ in sides], services)
        asked = [i for i, own in enumerate(found) if own and all(sides[i])]
        given = {"module": self.aligner} if self.aligner else {}
        links = services["align"]([sides[i] for i in asked], **given) if asked else []
        for i, own in zip(asked, links, strict=True):
            pivot, text = sides[i]
            known = _known(rows[i])
            pairs = [
                (span, known.get(span) or counterpart(own, span, self.max_words))
                for span in found[i]
                if self._informs(pivot, span, frequent)
            ]
            kept = tuple((span, there) for span, there in pairs if there)[: self.per_pair]
            if kept:
                yield AlignedSpans(
                    text, pivot, kept, rows[i].lang, rows[i].pivot_lang, origin=rows[i].origin
                )

    def _found(
        self, rows: Sequence[Any], pivots: Sequence[tuple[str, ...]], services: Services
    ) -> list[list[Span]]:
        if self.find == "column":
            return [[span for span, _ in row.spans] for row in rows]
        if self.find == "tagger":
            tagged = services["tag"](pivots, self.tagger)
            return [[(start, stop) for start, stop, _ in own] for own in tagged]
        return [capitalised(words) for words in pivots]

    def _informs(self, words: Sequence[str], span: Span, frequent: Collection[str]) -> bool:
        start, stop = span
        own = [word.casefold() for word in words[start:stop]]
        return 0 < len(own) <= self.max_words and not all(word in frequent for word in own)


def capitalised(words: Sequence[str]) -> list[Span]:
    """Find runs of words with a capital letter; the first word alone is none."""
    spans: list[Span] = []
    for i, word in enumerate(words):
        if word[:1].isupper():
            if spans and spans[-1][1] == i:
                spans[-1] = (spans[-1][0], i + 1)
            else:
                spans.append((i, i + 1))
    return [span for span in spans if span != (0, 1)]


def counterpart(links: Iterable[tuple[int, int]], span: Span, most: int) -> Span | None:
    """Return the run of linked words of the translation, ``None`` if it is not that of the span.

    Args:
        links: ``(word, word of the translation)``.
        span: Words of the sentence, half-open.
        most: Largest length of the run, in words.
    """
    every = list(links)
    there = [j for i, j in every if span[0] <= i < span[1]]
    if not there:
        return None
    start, stop = min(there), max(there) + 1
    outside = any(start <= j < stop and not span[0] <= i < span[1] for i, j in every)
    return None if outside or stop - start > most else (start, stop)


def _sides(row: ParallelPair | AlignedSpans) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words of the pivot and of the text."""
    if isinstance(row, AlignedSpans):
        return row.pivot, row.text
    return tuple(simple_words(row.pivot)), tuple(simple_words(row.text))


def _known(row: ParallelPair | AlignedSpans) -> dict[Span, Span]:
    """Return the counterparts that the data give; an empty one is to be found."""
    spans = row.spans if isinstance(row, AlignedSpans) else ()
    return {own: there for own, there in spans if there[0] < there[1]}


def _frequent(rows: Sequence[Any], most: int) -> set[str]:
    counts = Counter(word.casefold() for row in rows for word in _sides(row)[0])
    return {word for word, _ in counts.most_common(most) if counts[word] > 1} if most else set()


Part = InformativeSpans
