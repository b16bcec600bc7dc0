"""Read texts with a head, a tail and their relation, in any form that xadapt knows.

JSON lines, Parquet and ``hf:`` with ``{"text": .., "head": [0, 3], "tail": [12, 16], "relation":
.., "types": [.., ..], "lang": ..}``, spans in characters, half-open; ``xadapt project --task re``
writes such rows. Rows with tokens are read as by the reader ``tacred``, other files as by
``relation_text``. A row may name its own language, so one file may hold several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from xadapt.data.readers.label_columns import Rows
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted
from xadapt.data.readers.relation_text import RelationText
from xadapt.data.readers.tacred import (
    Each,
    filled,
    json_rows,
    language,
    pair,
    record,
    row_of_tokens,
)
from xadapt.data.records import RelationExample

TOKENS = ("token", "tokens", "tokens_translated")


class Relations:
    """Reader of relations in any known form. It never claims a file."""

    format: ClassVar[str] = "relations"
    gives: ClassVar[type] = RelationExample
    columns: ClassVar[tuple[str, ...]] = ()
    several: ClassVar[bool] = False

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a command names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[RelationExample]:
        """Stream the texts.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of texts that name none.
            notes: Where skipped rows are reported.

        Raises:
            UserError: If the file has no text with a relation, or half of the rows are faulty: a
                span is empty, leaves its text or crosses the other, or there is no relation.
        """
        yield from filled(self.read_each(source, lang), source, noted(notes))

    def read_each(self, source: str, lang: str) -> Each:
        """Yield the text of each row, or the fault of a faulty row.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of texts that name none.

        Raises:
            UserError: If the file can't be read.
        """
        if not kind_of_rows(source) and not has_suffix(source, ".json"):
            yield from RelationText().read_each(source, lang)
            return
        for where, row in json_rows(source):
            yield attempt(relation_row, row, lang, where)

    def read_rows(self, rows: Rows, lang: str, notes: Notes) -> Iterator[RelationExample]:
        """Stream the texts of rows in memory, as `read`."""
        each = (
            row if isinstance(row, RowError) else attempt(relation_row, row, lang, where)
            for where, row in rows.rows
        )
        yield from filled(each, rows.name, notes)


def relation_row(row: Any, lang: str, where: str) -> RelationExample:
    """Make a record of a row with named columns.

    Args:
        row: The row.
        lang: Its language, if it names none.
        where: Its place.

    Raises:
        RowError: If the row is faulty.
    """
    if not isinstance(row, Mapping) or any(key in row for key in TOKENS):
        return row_of_tokens(row, lang, where)
    text, head, tail = (row.get(key) for key in ("text", "head", "tail"))
    if not isinstance(text, str):
        raise RowError("there is no text", where=where)
    for name, span in (("head", head), ("tail", tail)):
        if not pair(span):
            raise RowError(f"the {name} is not [start, end] in characters", where=where)
    assert head is not None and tail is not None
    types = row.get("types")
    named = isinstance(types, (list, tuple)) and len(types) == 2
    return record(
        text,
        (head[0], head[1]),
        (tail[0], tail[1]),
        row.get("relation", row.get("label")),
        language(row, "lang", lang, where),
        where,
        types=(str(types[0] or ""), str(types[1] or "")) if named else ("", ""),  # type: ignore[index]
        row=str(row.get("row") or row.get("id") or ""),
    )


Part = Relations
