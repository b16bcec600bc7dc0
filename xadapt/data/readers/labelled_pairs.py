"""Read pairs of texts with one class each: a premise and a hypothesis, or two paraphrases.

Tab-separated text and CSV with a header or as first text, second text, label; JSON lines, Parquet
and ``hf:`` with named columns (``premise``, ``hypothesis``, ``label``; ``sentence1``,
``sentence2``, ``gold_label``). Rows on whose class the annotators did not agree (``-`` or ``-1``)
are counted and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.data.readers.label_columns import Classes, Rows, class_of, open_rows, records_of
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import FIRST, SECOND, text_of
from xadapt.data.records import LabelledPair

USUAL: Mapping[str, Sequence[str]] = {
    "text": (*FIRST, "text", "question1", "question", "query"),
    "text_pair": (*SECOND, "text_pair", "question2", "answer", "passage"),
    "label": ("gold_label", "label", "labels", "class", "relation", "is_duplicate"),
}
UNDECIDED = ("-", "-1")
"""What data sets write where the annotators did not agree, or the label is withheld."""


@dataclass(frozen=True)
class LabelledPairs:
    """Reader of labelled pairs. It never claims a file, since parallel text looks the same.

    Attributes:
        text: Column of the first text, by name or by number from 1.
        text_pair: Column of the second text.
        label: Column of the class.
        label_names: Names of the classes 0, 1 and so on, where the data hold numbers.
    """

    text: str = ""
    text_pair: str = ""
    label: str = ""
    label_names: tuple[str, ...] = ()

    format: ClassVar[str] = "labelled_pairs"
    gives: ClassVar[type] = LabelledPair
    columns: ClassVar[tuple[str, ...]] = ("text", "text_pair", "label")
    usual: ClassVar[Mapping[str, Sequence[str]]] = USUAL
    several: ClassVar[bool] = False

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of texts is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[LabelledPair]:
        """Stream the pairs.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of both texts.
            notes: Where a header, unused columns and rows that are left out are reported.

        Raises:
            UserError: If a column is missing, half of the rows are faulty, or there is no row.
        """
        found = noted(notes)
        asked = [name for name in (self.text, self.text_pair, self.label) if name]
        yield from self.read_rows(open_rows(source, USUAL, asked, found), lang, found)

    def read_rows(
        self, rows: Rows, lang: str, notes: Notes, labelled: bool = True
    ) -> Iterator[LabelledPair]:
        """Stream the pairs of rows, as `read`; without labels if these are not needed."""
        asked = {name: getattr(self, name) for name in self.columns}
        undecided = 0

        def make(values: dict[str, Any], classes: Classes, where: str) -> LabelledPair | None:
            nonlocal undecided
            first = text_of(values["text"], "the first text", where)
            second = text_of(values["text_pair"], "the second text", where)
            if not labelled:
                return LabelledPair(first, second, "", lang, origin=where)
            if str(values["label"]).strip() in UNDECIDED:
                undecided += 1
                return None
            label = class_of(values["label"], self.label_names or classes["label"], where)
            return LabelledPair(first, second, label, lang, origin=where)

        yield from records_of(rows, USUAL, asked, make, notes, optional="" if labelled else "label")
        if undecided:
            notes.add(rows.name, f"{undecided:,} rows without an agreed label are left out")


Part = LabelledPairs
