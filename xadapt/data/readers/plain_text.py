"""Read plain text, one record a line. Also ``.gz``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.records import PlainText


class PlainLines:
    """Lines of running text. Empty lines are skipped."""

    format: ClassVar[str] = "text"
    gives: ClassVar[type] = PlainText

    def claims(self, source: str, request: object) -> bool:
        """Return whether the name ends in ``.txt``, also ``.gz``."""
        return has_suffix(source, ".txt")

    def read(self, source: str, lang: str) -> Iterator[PlainText]:
        """Stream the lines of a file.

        Raises:
            UserError: If the file is absent, not UTF-8, or contains no text.
        """
        empty = True
        for number, line in read_lines(source):
            if line.strip():
                empty = False
                yield PlainText(line.strip(), lang, origin=f"{source}:{number}")
        if empty:
            raise UserError("there is no text in this file", where=source, todo="Check the file")


Part = PlainLines
