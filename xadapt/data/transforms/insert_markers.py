"""Markers: names of a sentence and their counterparts in the translation stand in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

from xadapt.data.records import ParallelPair
from xadapt.data.transforms.informative_spans import InformativeSpans, Span
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.functional.simple_words import simple_words


@dataclass(frozen=True)
class InsertMarkers:
    """Put markers around names of both sides, so that a translation model learns to carry them.

    Names are runs of words with a capital letter in the pivot, and their counterparts are found by
    word alignment, as `InformativeSpans` does it. The rest of the text stays as it is. A pair
    without a name, with overlapping counterparts, or with a marker in its text is dropped.

    Source: EasyProject, Chen et al. 2023, https://arxiv.org/abs/2211.15613, section 3.

    Attributes:
        opening: The marker before a name.
        closing: The marker behind it.
        per_pair: Largest number of names of a pair that get markers; the first ones.
        max_words: Largest number of words of a name, on both sides.
        stop_words: Number of the most frequent words of the data that are no name by themselves.
    """

    opening: str = "["
    closing: str = "]"
    per_pair: int = 1
    max_words: int = 10
    stop_words: int = 100

    consumes: ClassVar[type] = ParallelPair
    gives: ClassVar[type] = ParallelPair
    needs: ClassVar[tuple[str, ...]] = ("align",)
    applies: ClassVar[Applies] = "all"

    def __post_init__(self) -> None:
        if not (self.opening.strip() and self.closing.strip()):
            raise ValueError("opening and closing are markers, not empty")
        self._finder()

    def apply(self, records: Sequence[ParallelPair], services: Services) -> list[ParallelPair]:
        """The pairs with markers, in order; the log has their number."""
        found = iter(self._finder().apply(records, services))
        own, made = next(found, None), []
        for record in records:
            sides = tuple(simple_words(record.pivot)), tuple(simple_words(record.text))
            if own is None or sides != (own.pivot, own.text):
                continue
            pivot = self._marked(record.pivot, own.pivot, [span for span, _ in own.spans])
            text = self._marked(record.text, own.text, [span for _, span in own.spans])
            if pivot is not None and text is not None:
                made.append(replace(record, pivot=pivot, text=text))
            own = next(found, None)
        services.log(f"{len(made)} of {len(records)} pairs have markers")
        return made

    def _finder(self) -> InformativeSpans:
        return InformativeSpans(
            max_words=self.max_words, stop_words=self.stop_words, per_pair=self.per_pair
        )

    def _marked(self, text: str, words: Sequence[str], spans: Sequence[Span]) -> str | None:
        """Return a text with markers around spans of its words; ``None`` if that is not possible.

        Args:
            text: The text.
            words: Its words, as `simple_words` gives them.
            spans: Words in markers, half-open.
        """
        ordered = sorted(spans)
        overlap = any(b[0] < a[1] for a, b in pairwise(ordered))
        if overlap or self.opening in text or self.closing in text:
            return None
        places, at = [], 0
        for word in words:
            start = text.index(word, at)
            at = start + len(word)
            places.append((start, at))
        for first, stop in reversed(ordered):
            start, end = places[first][0], places[stop - 1][1]
            inner = f"{self.opening} {text[start:end]} {self.closing}"
            text = text[:start] + inner + text[end:]
        return text


Part = InsertMarkers
