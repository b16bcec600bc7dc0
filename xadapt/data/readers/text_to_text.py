"""Read texts with the text to write for each: tab-separated, first the source, then the target.

In CSV, JSON lines, Parquet and ``hf:``, the columns are named (``source``, ``target``), and the
options name other columns, also of tab-separated text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.data.readers.label_columns import Classes, Rows, open_rows, records_of
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import text_of
from xadapt.data.records import TextToText

USUAL: Mapping[str, Sequence[str]] = {
    "source": ("source", "input", "inputs", "src", "prompt", "question", "text"),
    "target": ("target", "output", "outputs", "tgt", "completion", "answer", "response", "labels"),
}
"""Usual names of both columns."""


@dataclass(frozen=True)
class TextsToTexts:
    """Reader of sources and targets. It never claims a file, since parallel text looks the same.

    Attributes:
        source: Column of the text to read, by name or by number from 1.
        target: Column of the text to write.
    """

    source: str = ""
    target: str = ""

    format: ClassVar[str] = "text_to_text"
    gives: ClassVar[type] = TextToText
    columns: ClassVar[tuple[str, ...]] = ("source", "target")
    usual: ClassVar[Mapping[str, Sequence[str]]] = USUAL
    several: ClassVar[bool] = False

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of two columns is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TextToText]:
        """Stream the rows.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the texts.
            notes: Where a header, the columns, and skipped rows are reported.

        Raises:
            UserError: If a column is missing, half of the rows are faulty (an empty text), or there
                is no row.
        """
        found = noted(notes)
        asked = [name for name in (self.source, self.target) if name]
        yield from self.read_rows(open_rows(source, USUAL, asked, found), lang, found)

    def read_rows(self, rows: Rows, lang: str, notes: Notes) -> Iterator[TextToText]:
        """Stream the records of rows, as `read`."""

        def make(values: dict[str, Any], classes: Classes, where: str) -> TextToText:
            source = text_of(values["source"], "the source", where)
            target = text_of(values["target"], "the target", where)
            return TextToText(source, target, lang, origin=where)

        asked = {name: getattr(self, name) for name in self.columns}
        yield from records_of(rows, USUAL, asked, make, notes)


Part = TextsToTexts
