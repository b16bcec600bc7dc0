"""Read texts with one class each: tab-separated, first the text, then the label.

A first line of usual names of columns (``tweet``, ``label``) is a header, if no other line has that
label. Empty lines are skipped. In CSV, JSON lines, Parquet and ``hf:``, the columns are named
(``text``, ``label``), and the options name other columns, also of tab-separated text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.columns import FEW, HEAD, is_number_or_id
from xadapt.data.readers.label_columns import (
    Classes,
    Rows,
    class_of,
    find_separator,
    is_csv,
    open_rows,
    records_of,
)
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.row_records import LABEL, TEXT, read_mapped, text_of
from xadapt.data.readers.tables import Row, tab_rows
from xadapt.data.records import LabelledText

FORM = "Write: text, tab, label"
LABELS = frozenset(
    "label labels class classes category categories target sentiment intent topic tag y gold "  # noqa: SIM905
    "stance emotion rating".split()
)
"""Usual names of a label column."""
USUAL: Mapping[str, Sequence[str]] = {"text": TEXT, "label": LABEL}


@dataclass(frozen=True)
class LabelledTexts:
    """Reader of texts with labels. It never claims a file, since parallel text looks the same.

    Attributes:
        text: Column of the text, by name or by number from 1.
        label: Column of the class.
        label_names: Names of the classes 0, 1 and so on, where the data hold numbers.
    """

    text: str = ""
    label: str = ""
    label_names: tuple[str, ...] = ()

    format: ClassVar[str] = "labelled_text"
    gives: ClassVar[type] = LabelledText
    columns: ClassVar[tuple[str, ...]] = ("text", "label")
    usual: ClassVar[Mapping[str, Sequence[str]]] = USUAL
    several: ClassVar[bool] = False

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of two columns is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[LabelledText]:
        """Stream the texts.

        Args:
            source: The file.
            lang: Language of the file.
            notes: Where a header, a class with only one text, and skipped lines are reported.

        Raises:
            UserError: If the columns are in the wrong order or the texts are numbers, half of the
                lines are faulty (not two columns, or an empty column), or the file has no line.
        """
        found = noted(notes)
        labels: Counter[str] = Counter()
        for text in self._texts(source, lang, found):
            labels[text.label] += 1
            yield text
        tell_joined(labels, source, found)

    def _texts(self, source: str, lang: str, notes: Notes) -> Iterator[LabelledText]:
        if self.text or self.label or self.label_names or is_csv(source):
            asked = [name for name in (self.text, self.label) if name]
            yield from self.read_rows(open_rows(source, self.usual, asked, notes), lang, notes)
        elif kind_of_rows(source):
            yield from read_mapped(source, self.usual, partial(_mapped, lang), notes)
        else:
            yield from _read_lines(source, lang, notes)

    def read_rows(
        self, rows: Rows, lang: str, notes: Notes, labelled: bool = True
    ) -> Iterator[LabelledText]:
        """Stream the texts of rows, as `read`; without labels if these are not needed."""

        def make(values: dict[str, Any], classes: Classes, where: str) -> LabelledText:
            text = text_of(values["text"], "the text", where)
            if not labelled:
                return LabelledText(text, "", lang, origin=where)
            label = class_of(values["label"], self.label_names or classes["label"], where)
            return LabelledText(text, label, lang, origin=where)

        asked = {name: getattr(self, name) for name in self.columns}
        yield from records_of(rows, USUAL, asked, make, notes, optional="" if labelled else "label")


def tell_joined(labels: Mapping[str, int], source: str, notes: Notes) -> None:
    """Report classes that look like several labels in one cell."""
    sign = find_separator(list(labels))
    joined_labels = [label for label in labels if sign and sign in label]
    if joined_labels:
        notes.add(
            source,
            f"{len(joined_labels)} classes look like several labels each, such as "
            f"{joined_labels[0][:40]!r}: the recipe multi_label reads them as such",
        )


def _read_lines(source: str, lang: str, found: Notes) -> Iterator[LabelledText]:
    """Stream tab-separated text, first the text, then the label."""
    filled = (row for row in tab_rows(source, found) if any(c.strip() for c in row[1]))
    head = list(islice(filled, HEAD))
    header = _header(head)
    if header:
        found.add(source, f"line {head[0][0]} is a header: {' and '.join(header)}")
    body = head[1:] if header else head
    _require_columns([[c.strip() for c in cells] for _, cells in body], source)
    labels: Counter[str] = Counter()
    rows = (attempt(_text, row, lang, source) for row in chain(body, filled))
    for text in without_faulty(rows, source, found, "line"):
        labels[text.label] += 1
        yield text
    if not labels:
        raise UserError("there is no text in this file", where=source)
    _tell_lonely(body[0], labels, source, found)


def _header(head: Sequence[Row]) -> list[str]:
    """Return the cells of the first line if they name columns."""
    names = [cell.strip() for cell in head[0][1]] if head else []
    if len(names) != 2 or names[1].casefold() not in LABELS or len(names[0].split()) != 1:
        return []
    others = {cells[1].strip() for _, cells in head[1:] if len(cells) == 2}
    return [] if names[1] in others else names


def _require_columns(rows: Sequence[Sequence[str]], source: str) -> None:
    pairs = [cells for cells in rows if len(cells) == 2 and all(cells)]
    if len(pairs) < FEW:
        return
    if 2 * sum(is_number_or_id(cells[0]) for cells in pairs) > len(pairs):
        raise UserError("column 1 holds numbers or ids, not text", where=source, todo=FORM)
    texts, labels = ({cells[i] for cells in pairs} for i in (0, 1))
    if 2 * len(texts) < len(labels) and 2 * len(labels) > len(pairs):
        raise UserError(
            f"column 2 has {len(labels)} different values in {len(pairs)} lines, column 1 "
            f"{len(texts)}: the label seems to stand first",
            where=source,
            todo=FORM,
        )


def _tell_lonely(first: Row, labels: Counter[str], source: str, notes: Notes) -> None:
    """Report a first line that may be an unknown header."""
    number, cells = first
    label = cells[-1].strip()
    if labels[label] == 1 and 2 * len(labels) < labels.total():
        line = f"the class {label[:40]!r} stands on line {number} alone: remove it if it is"
        notes.add(source, f"{line} a header")


def _text(row: Row, lang: str, source: str) -> LabelledText:
    where = f"{source}:{row[0]}"
    cells = [cell.strip() for cell in row[1]]
    if len(cells) != 2:
        raise RowError(f"this line has {len(cells)} columns", where=where, todo=FORM)
    if not all(cells):
        raise RowError(f"the {'label' if cells[0] else 'text'} is empty", where=where, todo=FORM)
    return LabelledText(cells[0], cells[1], lang, origin=where)


def _mapped(lang: str, values: dict[str, Any], where: str) -> LabelledText:
    text, label = text_of(values["text"], "text", where), class_of(values["label"], (), where)
    return LabelledText(text, label, lang, origin=where)


Part = LabelledTexts
