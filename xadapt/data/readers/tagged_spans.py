"""Read sentences with labelled spans: JSON lines, Parquet and ``hf:``.

A row is ``{"tokens": ["Ada", "met", "Bo"], "spans": [[0, 1, "PER"], [2, 3, "PER"]]}``: spans are
start, end and type over words, from 0, half-open. A span may also be
``{"start": 0, "end": 1, "label": "PER"}``. Rows with labels instead (``ner_tags``) and other files
are read as the reader ``conll`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from xadapt.data.readers.conll import Conll
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, noted
from xadapt.data.readers.row_records import WORDS, read_mapped, words_of
from xadapt.data.records import TaggedSentence
from xadapt.functional.tag_scheme import Span

FORM = 'A span is [start, end, "TYPE"] or {"start": .., "end": .., "label": ..}, over words, from 0'


class TaggedSpans:
    """Reader of words with spans. It never claims a file."""

    format: ClassVar[str] = "tagged_spans"
    gives: ClassVar[type] = TaggedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a command names this reader."""
        return False

    def read(
        self, source: str, lang: str, notes: Notes | None = None, *, checked: bool = True
    ) -> Iterator[TaggedSentence]:
        """Stream the sentences.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the sentences.
            notes: Where unused columns and skipped sentences are reported.
            checked: Whether a sentence is skipped if a span leaves it, is empty or overlaps
                another one. Otherwise it is given as it is.

        Raises:
            UserError: If the file has no sentence, or half of the sentences are faulty: a span
                leaves the sentence, is empty, overlaps another, or is of another form.
        """
        found = noted(notes)
        first = next(iter(MappedRows(source)), None) if kind_of_rows(source) else None
        if first is None or "spans" not in {str(key).casefold() for key in first[1]}:
            yield from Conll().read(source, lang, found)
            return
        columns = {"words": WORDS, "spans": ("spans",)}
        yield from read_mapped(
            source, columns, partial(_sentence, lang, checked), found, "sentence"
        )


def _sentence(lang: str, checked: bool, values: dict[str, Any], where: str) -> TaggedSentence:
    words = words_of(values["words"], "the column of words", where)
    given = values["spans"]
    if not isinstance(given, (list, tuple)):
        raise RowError("spans is no list", where=where, todo=FORM)
    spans = sorted(_span(one, len(words) if checked else None, where) for one in given)
    for one, other in pairwise(spans):
        if checked and other[0] < one[1]:
            raise RowError(
                f"the spans {one[0]}-{one[1]} and {other[0]}-{other[1]} overlap", where=where
            )
    return TaggedSentence(words, tuple(spans), lang, origin=where)


def _span(value: Any, length: int | None, where: str) -> Span:
    if isinstance(value, Mapping):
        value = [value.get("start"), value.get("end"), value.get("label", value.get("type"))]
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise RowError(f"{str(value)[:40]!r} is no span", where=where, todo=FORM)
    start, end, name = value
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in (start, end))
    if not whole or not isinstance(name, str) or not name.strip() or name.split() != [name]:
        raise RowError(f"{str(value)[:40]!r} is no span", where=where, todo=FORM)
    if length is not None and not 0 <= start < end <= length:
        raise RowError(
            f"the span {start}-{end} is empty or leaves a sentence of {length} words", where=where
        )
    return start, end, name


Part = TaggedSpans
