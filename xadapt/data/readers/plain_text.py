"""Read plain text: one record a line, or the column ``text`` of JSON lines, Parquet or ``hf:``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import TEXT, read_mapped, text_of
from xadapt.data.records import PlainText


class PlainLines:
    """Lines of running text. Empty lines are skipped."""

    format: ClassVar[str] = "text"
    gives: ClassVar[type] = PlainText

    def claims(self, source: str, request: object) -> bool:
        """Return whether the name ends in ``.txt``."""
        return has_suffix(source, ".txt")

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[PlainText]:
        """Stream the lines of a file.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Its language.
            notes: Where columns and skipped rows of a source with columns are reported.

        Raises:
            UserError: If the file is absent, not UTF-8, or contains no text.
        """
        if kind_of_rows(source):
            yield from read_mapped(source, {"text": TEXT}, partial(_row, lang), noted(notes))
            return
        empty = True
        for number, line in read_lines(source):
            if line.strip():
                empty = False
                yield PlainText(line.strip(), lang, origin=f"{source}:{number}")
        if empty:
            raise UserError("there is no text in this file", where=source, todo="Check the file")


def _row(lang: str, values: dict[str, Any], where: str) -> PlainText | None:
    text = values["text"]
    if isinstance(text, str) and not text.strip():
        return None
    return PlainText(text_of(text, "text", where), lang, origin=where)


Part = PlainLines
