"""Read pairs with spans that mean the same: JSON lines, Parquet and ``hf:``.

A row is ``{"src": .., "tgt": .., "spans": [{"src": [1, 1], "tgt": [2, 2]}]}``. Both sentences are
texts with spaces between words, or lists of words. Spans are first and last word, from 0. Without
``tgt`` in a span, the transform ``informative_spans`` with ``find: column`` finds the counterpart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, noted
from xadapt.data.readers.row_records import read_mapped, words_of
from xadapt.data.records import AlignedSpans

FORM = '{"src": .., "tgt": .., "spans": [{"src": [first, last], "tgt": [first, last]}]}'
Span = tuple[int, int]


class AlignedSpansReader:
    """Reader of pairs with spans. It never claims a file."""

    format: ClassVar[str] = "aligned_spans"
    gives: ClassVar[type] = AlignedSpans

    def claims(self, source: str, request: object) -> bool:
        """Return False: JSON lines are parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[AlignedSpans]:
        """Stream the pairs.

        Args:
            source: The file.
            lang: Language of the translations.
            notes: Where skipped rows are reported.

        Raises:
            UserError: If the file has another form, a column is missing, or half of the rows are
                faulty.
        """
        if not kind_of_rows(source):
            raise UserError("this file has no named columns", where=source,
                            todo=f"Give JSON lines: {FORM}")  # fmt: skip
        columns = {
            "pivot": ("src", "source", "pivot"),
            "text": ("tgt", "target", "text"),
            "spans": ("spans",),
        }
        yield from read_mapped(source, columns, partial(_record, lang), noted(notes), "pair")


def _record(lang: str, values: dict[str, Any], where: str) -> AlignedSpans:
    pivot, text = (_words(values[side], side, where) for side in ("pivot", "text"))
    spans = values["spans"]
    if not isinstance(spans, (list, tuple)) or not spans:
        raise RowError("there is no span", where=where, todo=FORM)
    made = []
    for span in spans:
        if not isinstance(span, Mapping) or "src" not in span:
            raise RowError("a span is of another form", where=where, todo=FORM)
        there = _span(span["tgt"], len(text), where) if span.get("tgt") is not None else (0, 0)
        made.append((_span(span["src"], len(pivot), where), there))
    made.sort()
    if any(one[0][1] > other[0][0] for one, other in pairwise(made)):
        raise RowError("two spans overlap", where=where)
    return AlignedSpans(text, pivot, tuple(made), lang, origin=where)


def _words(value: Any, name: str, where: str) -> tuple[str, ...]:
    return words_of(value.split() if isinstance(value, str) else value, name, where)


def _span(value: Any, length: int, where: str) -> Span:
    try:
        first, last = (int(one) for one in value)
    except (TypeError, ValueError):
        raise RowError("a span is no pair of numbers", where=where, todo=FORM) from None
    if not 0 <= first <= last < length:
        raise RowError(
            f"the span {first} to {last} leaves a sentence of {length} words", where=where
        )
    return first, last + 1


Part = AlignedSpansReader
