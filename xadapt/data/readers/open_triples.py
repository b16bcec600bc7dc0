"""Read sentences with open triples: JSON lines, Parquet and ``hf:``.

A row is ``{"tokens": ["Ada", "built", "a", "house"], "extractions": [[[1, 2, "P"], [0, 1, "A0"],
[2, 4, "A1"]]]}``: each extraction is a list of spans ``[start, end, role]`` over words, from 0,
half-open. One span is the predicate, ``P``; the others are arguments ``A0`` to ``A3``. A row may
have ``lang``. ``xadapt annotate --task open_ie`` writes such rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, noted
from xadapt.data.readers.row_records import WORDS, read_mapped, words_of
from xadapt.data.records import PREDICATE, ROLES, OpenTriples
from xadapt.functional.tag_scheme import Span
from xadapt.languages.tags import is_tag, normalise

FORM = f"A span is [start, end, role] over words; roles are {PREDICATE}, {', '.join(ROLES)}"


class OpenTriplesReader:
    """Reader of words with extractions. It never claims a file."""

    format: ClassVar[str] = "open_triples"
    gives: ClassVar[type] = OpenTriples

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a command names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[OpenTriples]:
        """Stream the sentences.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of sentences that name none.
            notes: Where unused columns and skipped sentences are reported.

        Raises:
            UserError: If the file is of another kind, has no sentence, or half of the sentences are
                faulty: an extraction has no predicate or two, a role twice, or spans that overlap
                or leave the sentence.
        """
        if not kind_of_rows(source):
            raise UserError(
                "open triples are read from .jsonl, .parquet or hf:", where=source, todo=FORM
            )
        first = next(iter(MappedRows(source)), None)
        columns = {"words": WORDS, "extractions": ("extractions",)}
        if first is not None and "lang" in first[1]:
            columns["lang"] = ("lang",)
        yield from read_mapped(source, columns, partial(_row, lang), noted(notes), "sentence")


def _row(lang: str, values: dict[str, Any], where: str) -> OpenTriples:
    words = words_of(values["words"], "the column of words", where)
    given, own = values["extractions"], values.get("lang", lang)
    if not isinstance(given, (list, tuple)):
        raise RowError("extractions is no list", where=where, todo=FORM)
    if not isinstance(own, str) or (own != lang and not is_tag(own)):
        raise RowError(f"{str(own)[:40]!r} is no language", where=where)
    made = tuple(extraction(one, len(words), where) for one in given)
    return OpenTriples(words, made, own if own == lang else normalise(own), origin=where)


def extraction(value: Any, length: int, where: str) -> tuple[Span, ...]:
    """Check one extraction: its predicate, then its arguments in the order of their roles.

    Args:
        value: Spans ``[start, end, role]``.
        length: Number of words of the sentence.
        where: The place of the row.

    Raises:
        RowError: If it is none.
    """
    spans = [_span(one, length, where) for one in value] if isinstance(value, (list, tuple)) else []
    order = (PREDICATE, *ROLES)
    roles = [role for _, _, role in spans]
    if PREDICATE not in roles or len(set(roles)) < len(roles):
        raise RowError("an extraction needs one predicate, and each role once", where=where,
                       todo=FORM)  # fmt: skip
    used = [word for start, end, _ in spans for word in range(start, end)]
    if len(set(used)) < len(used):
        raise RowError("spans of an extraction overlap", where=where)
    return tuple(sorted(spans, key=lambda span: order.index(span[2])))


def _span(value: Any, length: int, where: str) -> Span:
    good = isinstance(value, (list, tuple)) and len(value) == 3
    start, end, role = value if good else (0, 0, "")
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in (start, end))
    if not whole or role not in (PREDICATE, *ROLES) or not 0 <= start < end <= length:
        raise RowError(f"{str(value)[:40]!r} is no span of {length} words", where=where, todo=FORM)
    return start, end, role


Part = OpenTriplesReader
