"""Read texts with a rating each: tab-separated, first the text, then a number.

In CSV, JSON lines, Parquet and ``hf:`` the columns are named (``text``, ``rating``), as ``xadapt
annotate --task ratings`` writes them. Else all is as for the reader ``labelled_text``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from xadapt.data.readers.label_columns import Rows
from xadapt.data.readers.labelled_text import LabelledTexts
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import TEXT
from xadapt.data.records import LabelledText, RatedText

USUAL: Mapping[str, Sequence[str]] = {"text": TEXT, "label": ("rating", "score", "label")}


@dataclass(frozen=True)
class RatedTexts(LabelledTexts):
    """Reader of texts with ratings. It never claims a file.

    Attributes:
        text: Column of the text, by name or by number from 1.
        label: Column of the rating.
        label_names: Names of the numbers 0, 1 and so on; ratings have none.
    """

    format: ClassVar[str] = "rated_text"
    gives: ClassVar[type] = RatedText
    usual: ClassVar[Mapping[str, Sequence[str]]] = USUAL

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[RatedText]:
        """Stream the texts; see `LabelledTexts.read`.

        Args:
            source: The file.
            lang: Language of the file.
            notes: Where a header and skipped lines are reported.

        Raises:
            UserError: As for `LabelledTexts.read`.
        """
        for row in self._texts(source, lang, noted(notes)):
            yield _rated(row)

    def read_rows(
        self, rows: Rows, lang: str, notes: Notes, labelled: bool = True
    ) -> Iterator[LabelledText]:
        """Stream the texts of rows, as `read`; without ratings if these are not needed."""
        for row in LabelledTexts.read_rows(self, rows, lang, notes, labelled):
            yield _rated(row)


def _rated(row: LabelledText) -> RatedText:
    return RatedText(row.text, row.label, row.lang, origin=row.origin)


Part = RatedTexts
