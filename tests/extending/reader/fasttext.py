"""Texts with one class in fastText's format: ``__label__sports The match was ...``, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText

MARK = "__label__"


class FastText:
    """Reader of labelled lines; the label stands first."""

    format: ClassVar[str] = "fasttext"
    gives: ClassVar[type] = LabelledText

    def claims(self, source: str, request: object) -> bool:
        """No: a recipe names it."""
        return False

    def read(self, source: str, lang: str) -> Iterator[LabelledText]:
        """Stream the texts.

        Raises:
            UserError: If a line has no label or no text.
        """
        with Path(source).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                label, _, text = line.strip().partition(" ")
                if not label.startswith(MARK) or not text.strip():
                    raise UserError(
                        "this line has no label or no text",
                        where=f"{source}:{number}",
                        todo=f"Write: {MARK}LABEL text",
                    )
                name = label.removeprefix(MARK)
                yield LabelledText(text.strip(), name, lang, origin=f"{source}:{number}")


Part = FastText
