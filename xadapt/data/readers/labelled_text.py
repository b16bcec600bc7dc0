"""Texts with one class each: tab-separated, the text first, its label second, no header.

Also ``.gz``. Empty lines are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.records import LabelledText


class LabelledTexts:
    """Reader of texts with labels; it never claims a file, for parallel text looks the same."""

    format: ClassVar[str] = "labelled_text"
    gives: ClassVar[type] = LabelledText

    def claims(self, source: str, request: object) -> bool:
        """No: a table of two columns is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str) -> Iterator[LabelledText]:
        """Stream the texts.

        Raises:
            UserError: A line has not two columns, one of them is empty, or there is no line.
        """
        empty = True
        for number, line in read_lines(source):
            if not line.strip():
                continue
            where = f"{source}:{number}"
            cells = [cell.strip() for cell in line.split("\t")]
            if len(cells) != 2:
                raise UserError(
                    f"this line has {len(cells)} columns",
                    where=where,
                    todo="Write: text, tab, label",
                )
            if not all(cells):
                raise UserError(
                    f"the {'label' if cells[0] else 'text'} is empty",
                    where=where,
                    todo="Write: text, tab, label",
                )
            empty = False
            yield LabelledText(cells[0], cells[1], lang, origin=where)
        if empty:
            raise UserError("there is no text in this file", where=source)


Part = LabelledTexts
