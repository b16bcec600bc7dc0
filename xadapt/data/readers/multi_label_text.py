"""Read texts with any number of labels each: zero, one or several.

The labels stand in one column, as a list (JSON lines, Parquet, ``hf:``) or as text with a sign
between them (``fastapi|number``), or in one column of 0 and 1 for each label. An empty list, an
empty cell and a row of zeros are a text without labels.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import plain_value
from xadapt.data.readers.label_columns import (
    Classes,
    Rows,
    class_of,
    find_columns,
    find_separator,
    open_rows,
    records_of,
    value_in,
)
from xadapt.data.readers.notes import Notes, RowError, joined, noted
from xadapt.data.readers.row_records import TEXT, text_of
from xadapt.data.records import MultiLabelText

LABELS = ("labels", "label", "tags", "classes", "categories", "topics", "emotions", "category")
USUAL: Mapping[str, Sequence[str]] = {"text": TEXT, "labels": LABELS}
YES, NO = ("1", "1.0", "True", "true"), ("0", "0.0", "False", "false")
FLAGS: Mapping[Any, bool] = {
    **dict.fromkeys((0, *NO), False),
    **dict.fromkeys((1, *YES), True),
}
"""What a column of one label holds; 0.0 and False equal 0, and so on."""


@dataclass(frozen=True)
class MultiLabelTexts:
    """Reader of texts with labels. It never claims a file, since other tables look the same.

    Attributes:
        text: Column of the text, by name or by number from 1.
        labels: Column of the labels, or several columns of 0 and 1 with commas between their names,
            which are then the labels.
        label_separator: The sign between labels in one cell. Without it, ``|``, ``;`` or ``,`` is
            taken if the parts of the cells show that it separates labels; a note says so.
        label_names: Names of the labels 0, 1 and so on, where the data hold numbers, or lists of 0
            and 1 with one place for each label.
    """

    text: str = ""
    labels: str = ""
    label_separator: str = ""
    label_names: tuple[str, ...] = ()

    format: ClassVar[str] = "multi_label_text"
    gives: ClassVar[type] = MultiLabelText
    columns: ClassVar[tuple[str, ...]] = ("text", "labels")
    usual: ClassVar[Mapping[str, Sequence[str]]] = USUAL
    several: ClassVar[bool] = True

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of two columns is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[MultiLabelText]:
        """Stream the texts.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the texts.
            notes: Where the form of the labels and skipped rows are reported.

        Raises:
            UserError: If a column is missing, half of the rows are faulty (``null`` in place of
                labels, a number that is not 0 or 1), or there is no row.
        """
        found = noted(notes)
        asked = [name for name in (self.text, *self._flags()) if name]
        yield from self.read_rows(open_rows(source, USUAL, asked, found), lang, found)

    def read_rows(
        self, rows: Rows, lang: str, notes: Notes, labelled: bool = True
    ) -> Iterator[MultiLabelText]:
        """Stream the texts of rows, as `read`; without labels if these are not needed."""
        if not labelled:
            yield from records_of(
                rows, USUAL, {"text": self.text}, partial(_unlabelled, lang), notes, "labels"
            )
            return
        every = list(rows.rows)
        rows = replace(rows, rows=iter(every))
        first = next((row for _, row in every if isinstance(row, Mapping)), None)
        flags = self._flags() if len(self._flags()) > 1 else []
        if first is not None and not flags and not self.labels:
            flags = _found_flags(list(map(str, first)), every)
            if flags:
                notes.add(rows.name, f"{joined(flags[:12])} are read as labels: 1 is yes, 0 is no")
        yield from (
            self._by_flags(rows, flags, lang, notes)
            if flags
            else self._by_column(rows, every, lang, notes)
        )

    def _flags(self) -> list[str]:
        return [name.strip() for name in self.labels.split(",") if name.strip()]

    def _by_flags(
        self, rows: Rows, flags: Sequence[str], lang: str, notes: Notes
    ) -> Iterator[MultiLabelText]:
        """Read one column of 0 and 1 for each label."""
        usual = {"text": TEXT, **dict.fromkeys(flags, ())}
        names = dict(zip(flags, self.label_names or flags, strict=False))
        if len(names) != len(flags) or (self.label_names and len(self.label_names) != len(flags)):
            raise UserError(
                f"there are {len(flags)} columns of labels and {len(self.label_names)} names",
                where="label_names",
            )

        def make(values: dict[str, Any], _: Classes, where: str) -> MultiLabelText:
            labels = [names[flag] for flag in flags if _flag(values[flag], flag, where)]
            return MultiLabelText(
                _text(values, where), tuple(sorted(set(labels))), lang, origin=where
            )

        asked = {"text": self.text, **{name: name for name in flags}}
        yield from records_of(rows, usual, asked, make, notes)

    def _by_column(
        self, rows: Rows, every: Sequence[tuple[str, Any]], lang: str, notes: Notes
    ) -> Iterator[MultiLabelText]:
        """Read the labels from one column."""
        values = self._values(rows, every)
        form = _Form.of(self, values, rows.name, notes)
        doubled = 0

        def make(values: dict[str, Any], classes: Classes, where: str) -> MultiLabelText:
            nonlocal doubled
            names = self.label_names or classes["labels"]
            labels = form.labels(values["labels"], names, where)
            doubled += len(labels) != len(set(labels))
            return MultiLabelText(
                _text(values, where), tuple(sorted(set(labels))), lang, origin=where
            )

        asked = {"text": self.text, "labels": self.labels}
        yield from records_of(rows, USUAL, asked, make, notes)
        if doubled:
            notes.add(rows.name, f"{doubled:,} rows have a label twice: it counts once")

    def _values(self, rows: Rows, every: Sequence[tuple[str, Any]]) -> list[Any]:
        """Return the values of the column of labels."""
        maps = [(where, row) for where, row in every if isinstance(row, Mapping)]
        if not maps:
            return []
        asked = {"text": self.text, "labels": self.labels}
        column = find_columns(list(map(str, maps[0][1])), USUAL, asked, rows.name)["labels"]
        return [value_in(row, column, where) for where, row in maps if column in row]


@dataclass(frozen=True)
class _Form:
    """How the column of labels holds them.

    Attributes:
        separator: The sign between labels in a cell of text.
        vector: Whether the lists hold 0 and 1, one place for each label.
    """

    separator: str
    vector: bool

    @classmethod
    def of(cls, reader: MultiLabelTexts, values: list[Any], name: str, notes: Notes) -> _Form:
        """Find the form, and report what was not asked for."""
        values = [_parsed(value) for value in values]
        cells = [value for value in values if isinstance(value, str) and value.strip()]
        sign = reader.label_separator or find_separator(cells)
        if cells and not reader.label_separator:
            if sign:
                said = f"the labels of a text are separated by {sign!r}"
            else:
                said = "each cell is read as one label; label_separator separates several"
            notes.add(name, said)
        vector = _are_vectors([v for v in values if isinstance(v, (list, tuple))])
        if vector and not reader.label_names:
            notes.add(name, "lists of 0 and 1 have a place for each label: label_names names them")
        return cls(sign, vector)

    def labels(self, value: Any, names: Sequence[str], where: str) -> list[str]:
        """Return the labels of one row.

        Raises:
            RowError: If the value holds no labels.
        """
        value = _parsed(value)
        if value is None:
            raise RowError(
                "the labels are null, so it is not known which the text has",
                where=where,
                todo="Write [] for a text without labels",
            )
        if isinstance(value, str):
            parts = value.split(self.separator) if self.separator else [value]
            return [class_of(part, names, where) for part in parts if part.strip()]
        if not isinstance(value, (list, tuple)):
            return [class_of(value, names, where)]
        if self.vector:
            if names and len(names) != len(value):
                raise RowError(f"{len(value)} places for {len(names)} labels", where=where)
            held = [i for i, one in enumerate(value) if one == 1]
            return [names[i] if names else str(i) for i in held]
        return [class_of(one, names, where) for one in value]


def _unlabelled(lang: str, values: dict[str, Any], _: Classes, where: str) -> MultiLabelText:
    return MultiLabelText(_text(values, where), (), lang, origin=where)


def _text(values: dict[str, Any], where: str) -> str:
    return text_of(values["text"], "the text", where)


def _flag(value: Any, label: str, where: str) -> bool:
    if not isinstance(value, (str, int, float)) or value not in FLAGS:
        said = "nothing" if value is None else repr(value)[:40]
        raise RowError(
            f"column {label!r} holds {said}, not 0 or 1",
            where=where,
            todo="1 says that the text has the label, 0 that it has not",
        )
    return FLAGS[value]


def _found_flags(keys: Sequence[str], every: Sequence[tuple[str, Any]]) -> list[str]:
    """Return the columns that hold 0 and 1 alone, if no column holds labels and two or more do."""
    if any(key.casefold() in LABELS for key in keys) or keys[:1] == ["1"]:
        return []
    rows = [row for _, row in every if isinstance(row, Mapping)]
    found = [key for key in keys if all(_is_flag(plain_value(row.get(key))) for row in rows)]
    return found if len(found) > 1 else []


def _is_flag(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and value in FLAGS


def _are_vectors(lists: Sequence[Sequence[Any]]) -> bool:
    """Return whether lists are all equally long, hold 0 and 1 alone, and repeat one of them."""
    if not lists or len({len(own) for own in lists}) != 1:
        return False
    numbers = all(isinstance(one, (int, float)) and one in (0, 1) for own in lists for one in own)
    return numbers and any(len(set(own)) < len(own) for own in lists)


def _parsed(value: Any) -> Any:
    """Return the list that a text such as ``['a', 'b']`` writes, as pandas writes lists to CSV."""
    if isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        try:
            made = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
        return made if isinstance(made, list) else value
    return value


Part = MultiLabelTexts
