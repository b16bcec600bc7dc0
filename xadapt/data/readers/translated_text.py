"""Read texts with their translations and one class each.

Tab-separated text and CSV with a header or as text, translation, label; JSON lines, Parquet and
``hf:`` with named columns (``text``, ``translation``, ``label``). The column of translations may be
left out, where a translator makes them; a text without a translation has an empty cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar

from xadapt.data.readers.label_columns import Classes, Rows, class_of, open_rows, records_of
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.row_records import LABEL, TEXT, text_of
from xadapt.data.records import TranslatedText

TRANSLATION = ("translation", "translated", "mt", "text_mt", "text_en", "pivot")
USUAL: Mapping[str, Sequence[str]] = {"text": TEXT, "translation": TRANSLATION, "label": LABEL}
FIELD = "translation"


@dataclass(frozen=True)
class TranslatedTexts:
    """Reader of labelled texts with translations. It never claims a file.

    Attributes:
        text: Column of the text, by name or by number from 1.
        translation: Column of its translation.
        label: Column of the class.
        label_names: Names of the classes 0, 1 and so on, where the data hold numbers.
    """

    text: str = ""
    translation: str = ""
    label: str = ""
    label_names: tuple[str, ...] = ()

    format: ClassVar[str] = "translated_text"
    gives: ClassVar[type] = TranslatedText
    columns: ClassVar[tuple[str, ...]] = ("text", "translation", "label")
    usual: ClassVar[Mapping[str, Sequence[str]]] = USUAL
    several: ClassVar[bool] = False

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of texts is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TranslatedText]:
        """Stream the texts.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the texts.
            notes: Where a header, unused columns and skipped rows are reported.

        Raises:
            UserError: If a column is missing, half of the rows are faulty, or there is no row.
        """
        found = noted(notes)
        asked = [name for name in (self.text, self.translation, self.label) if name]
        yield from self.read_rows(open_rows(source, USUAL, asked, found), lang, found)

    def read_rows(
        self, rows: Rows, lang: str, notes: Notes, labelled: bool = True
    ) -> Iterator[TranslatedText]:
        """Stream the texts of rows, as `read`; without labels if these are not needed."""
        first = next(rows.rows, None)
        keys = list(map(str, first[1])) if first and isinstance(first[1], Mapping) else []
        rows = replace(rows, rows=chain([] if first is None else [first], rows.rows))
        least = 2 if labelled else 1
        numbered = keys == [str(i) for i in range(1, len(keys) + 1)]
        named = {key.casefold() for key in keys} & set(TRANSLATION)
        there = bool(self.translation or named or (numbered and len(keys) > least))
        usual = {field: names for field, names in USUAL.items() if there or field != FIELD}

        def make(values: dict[str, Any], classes: Classes, where: str) -> TranslatedText:
            text = text_of(values["text"], "the text", where)
            given = values.get(FIELD)
            empty = given is None or given == "" or (isinstance(given, str) and not given.strip())
            other = "" if empty else text_of(given, "the translation", where)
            if not labelled:
                return TranslatedText(text, "", lang, other, origin=where)
            label = class_of(values["label"], self.label_names or classes["label"], where)
            return TranslatedText(text, label, lang, other, origin=where)

        asked = {name: getattr(self, name) for name in usual}
        yield from records_of(rows, usual, asked, make, notes, optional="" if labelled else "label")


Part = TranslatedTexts
