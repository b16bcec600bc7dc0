"""Read pairs of texts in one language: an anchor, a positive, and hard negatives.

In tab-separated text and CSV, column 1 is the anchor (a query, a question), column 2 the positive
(a passage, an answer), and all further columns are hard negatives. A header of usual names decides
the columns: ``anchor``/``query``/``question``, ``positive``/``answer``/``passage``, and
``negative``, ``negative_1``, ``negative_2``. JSON lines, Parquet and ``hf:`` have the same names.
There a cell may also be a list: several positives, or several negatives; and a passage may be a
dict with ``title`` and ``text``. A column ``answers`` has the answers of a question, and ``row_id``
the row that this one is a translation of; see `xadapt.data.records.TextPair`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, ClassVar

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.columns import HEADERS
from xadapt.data.readers.lines import LINE_CHARS, has_suffix, read_lines
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import (
    Notes,
    RowError,
    attempt,
    batches_without_faulty,
    joined,
    noted,
)
from xadapt.data.readers.passages import passage_text
from xadapt.data.readers.row_records import label_of, text_of
from xadapt.data.readers.tables import quoted_rows, tab_rows
from xadapt.data.records import TextPair

ANCHORS = (
    "anchor", "query", "question", "sentence1", "sentence_1", "sent1", "text1", "text_1",
    "sentence_a", "source", "title",
)  # fmt: skip
"""Usual names of the column of anchors, in lower case, the most usual first."""

POSITIVES = (
    "positive", "positives", "pos", "answer", "passage", "document", "response", "context",
    "sentence2", "sentence_2", "sent2", "text2", "text_2", "sentence_b", "target", "body",
)  # fmt: skip
"""Usual names of the column of positives."""

NEGATIVE = re.compile(r"(hard_)?neg(ative)?s?(_\d+)?")
"""Usual names of columns of hard negatives, in lower case."""

ANSWERS, ROW = "answers", "row_id"
"""Names of the columns of answers, and of the row that a row translates."""

FORM = "Write: anchor, tab, positive, and in further columns hard negatives"
RENAME = "Name them anchor, positive, negative_1 and so on, or set data.train.options.columns"


@dataclass(frozen=True)
class PairColumns:
    """The columns of a pair, by name or by number from 1.

    Attributes:
        anchor: Column of the anchor.
        positive: Column of the positive.
        negatives: Columns of hard negatives.
        answers: Column of the answers, or empty.
        row: Column of the row that a row translates, or empty.
    """

    anchor: str
    positive: str
    negatives: tuple[str, ...] = ()
    answers: str = ""
    row: str = ""

    @classmethod
    def find(
        cls, keys: Sequence[str], asked: Any, where: str, notes: Notes, named: bool = True
    ) -> PairColumns:
        """Find the columns as the user says, by the usual names, or by the order.

        Args:
            keys: All columns, in order; numbers from 1 where they have no names.
            asked: The columns that the user names: text with commas, a list, or a mapping of
                ``anchor``, ``positive`` and ``negatives``; nothing if none are named.
            where: Name of the data.
            notes: Where the columns that are read, and those that are not, are reported.
            named: Whether the columns have names.

        Raises:
            UserError: If there is no column for a side, or a named column is not there.
        """
        if asked:
            found = _asked(asked, keys, where)
        elif named:
            found = _by_name(keys, where)
        else:
            found = cls.in_order(len(keys), where)
        found.tell(keys, where, notes)
        return found

    @classmethod
    def in_order(cls, count: int, where: str) -> PairColumns:
        """Return the columns of a table without a header.

        Raises:
            UserError: If there is only one column.
        """
        if count < 2:
            raise UserError(f"a row has {count} column", where=where, todo=FORM)
        return cls("1", "2", tuple(str(number) for number in range(3, count + 1)))

    def tell(self, keys: Sequence[str], where: str, notes: Notes) -> None:
        """Report the columns of hard negatives and the unused columns."""
        used = {self.anchor, self.positive, *self.negatives, self.answers, self.row}
        read = f"column {self.anchor!r} is the anchor, {self.positive!r} the positive"
        if self.negatives:
            read += f"; hard negatives: {joined(map(repr, self.negatives[:12]))}"
        notes.add(where, read, usual=True)
        unused = [repr(key[:40]) for key in keys if key not in used]
        if unused:
            are = "columns {} are" if len(unused) > 1 else "column {} is"
            notes.add(where, f"{are.format(joined(unused[:12]))} not used")

    def pairs(self, row: Mapping[str, Any], lang: str, where: str) -> list[TextPair]:
        """Make the pairs of a row: one for each positive.

        Raises:
            RowError: If a side is missing, empty or no text.
        """
        if not isinstance(row, Mapping):
            raise RowError(f"this row is {type(row).__name__}, not a dict", where=where, todo=FORM)
        anchor = text_of(row.get(self.anchor), "the anchor", where)
        found = [text_of(one, "the positive", where) for one in _each(row.get(self.positive))]
        if not found:
            raise RowError("the positive is empty", where=where, todo=FORM)
        given = (_each(row.get(name)) for name in self.negatives)
        cells = [one for cell in given for one in cell if one is not None and one != ""]
        negatives = tuple(text_of(one, "a negative", where) for one in cells)
        number, answers = self._row(row, where), self._answers(row, where)
        return [
            TextPair(anchor, text, negatives, lang, row=number, answers=answers, origin=where)
            for text in found
        ]

    def _row(self, row: Mapping[str, Any], where: str) -> str:
        value = row.get(self.row) if self.row else None
        return "" if value is None or value == "" else label_of(value, "the row", where)

    def _answers(self, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
        cells = _each(row.get(self.answers)) if self.answers else []
        return tuple(
            text_of(one, "an answer", where) for one in cells if one is not None and one != ""
        )


def _each(cell: Any) -> list[Any]:
    """Return the texts of a cell, which may hold a list of them."""
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    return list(map(_passage, cell)) if isinstance(cell, (list, tuple)) else [_passage(cell)]


def _passage(cell: Any) -> Any:
    """Return the text of a passage with a title, as an index encodes it."""
    if isinstance(cell, Mapping) and isinstance(cell.get("text"), str):
        return passage_text(str(cell.get("title") or ""), cell["text"])
    return cell


def _asked(asked: Any, keys: Sequence[str], where: str) -> PairColumns:
    if isinstance(asked, Mapping):
        fields = ("anchor", "positive", "negatives")
        unknown = next((str(name) for name in asked if name not in fields), None)
        if unknown is not None:
            raise UserError(registry.unknown("field", unknown, list(fields)), where="columns")
        negatives = asked.get("negatives", ())
        more = [negatives] if isinstance(negatives, str) else list(negatives)
        given: list[Any] = [asked.get("anchor"), asked.get("positive"), *more]
    else:
        given = asked.split(",") if isinstance(asked, str) else list(asked)
    names = [str(name or "").strip() for name in given]
    if len(names) < 2 or not all(names) or len(set(names)) < len(names):
        raise UserError(
            f"{','.join(names)!r} are not the columns of a pair",
            where="columns",
            todo="Write ANCHOR,POSITIVE and then the columns of hard negatives, if any",
        )
    anchor, positive, *more = (_key(name, keys, where) for name in names)
    return PairColumns(anchor, positive, tuple(more))


def _key(name: str, keys: Sequence[str], where: str) -> str:
    if name in keys:
        return name
    if name.isascii() and name.isdigit() and 0 < int(name) <= len(keys):
        return keys[int(name) - 1]
    raise UserError(registry.unknown("column", name, list(keys)), where=where)


def _by_name(keys: Sequence[str], where: str) -> PairColumns:
    by_case = {key.strip().casefold(): key for key in keys}
    sides = []
    for side, usual in (("anchor", ANCHORS), ("positive", POSITIVES)):
        key = next((by_case[name] for name in usual if name in by_case), None)
        if key is None:
            there = ", ".join(repr(key[:40]) for key in keys[:8]) or "none"
            raise UserError(
                f"there is no column for the {side} (found: {there})", where=where, todo=RENAME
            )
        sides.append(key)
    negatives = tuple(key for case, key in by_case.items() if NEGATIVE.fullmatch(case))
    return PairColumns(
        sides[0], sides[1], negatives, by_case.get(ANSWERS, ""), by_case.get(ROW, "")
    )


@dataclass(frozen=True)
class TextPairs:
    """Reader of pairs in one language. It never claims a file, since parallel text looks the same.

    Attributes:
        columns: ``ANCHOR,POSITIVE`` and then the columns of hard negatives, by name or by number
            from 1. Without it, the usual names or the order decide.
    """

    columns: str = ""

    format: ClassVar[str] = "text_pairs"
    gives: ClassVar[type] = TextPair

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of texts is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[TextPair]:
        """Stream the pairs; a row with several positives gives several.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the texts.
            notes: Where a header, the columns, and skipped rows are reported.

        Raises:
            UserError: If a column is missing, half of the rows are faulty (one column, an empty
                text), or there is no row.
        """
        found = noted(notes)
        rows = self._named(source, found) if kind_of_rows(source) else self._table(source, found)
        first = next(rows, None)
        if first is None:
            raise UserError("there is no pair in this source", where=source, todo=FORM)
        made: Iterator[list[TextPair] | TextPair | RowError] = (
            attempt(columns.pairs, row, lang, where) for where, row, columns in chain([first], rows)
        )
        for batch in batches_without_faulty(made, source, found):
            yield from batch

    def _named(self, source: str, notes: Notes) -> Iterator[tuple[str, Any, PairColumns]]:
        columns = None
        for where, row in MappedRows(source):
            if columns is None:
                columns = PairColumns.find(list(map(str, row)), self.columns, source, notes)
            yield where, row, columns

    def _table(self, source: str, notes: Notes) -> Iterator[tuple[str, Any, PairColumns]]:
        if has_suffix(source, ".csv"):
            rows = quoted_rows(read_lines(source), source, ",", LINE_CHARS)
        else:
            rows = tab_rows(source, notes)
        filled = ((n, cells) for n, cells in rows if any(map(str.strip, cells)))
        head = list(islice(filled, 1))
        if not head:
            return
        names = [cell.strip() for cell in head[0][1]]
        if _is_header(names, self.columns):
            notes.add(source, f"line {head[0][0]} is a header: {', '.join(names)}")
            columns = PairColumns.find(names, self.columns, source, notes)
            head = []
        else:
            names = [str(number) for number in range(1, len(names) + 1)]
            columns = PairColumns.find(names, self.columns, source, notes, named=False)
        for number, cells in chain(head, filled):
            row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            yield f"{source}:{number}", row, columns


def _is_header(names: Sequence[str], asked: str) -> bool:
    """Whether the first row names columns: those that the user names, or only usual names."""
    wanted = [name.strip() for name in asked.split(",")] if asked else []
    if wanted and not all(name.isdigit() for name in wanted):
        return True
    cases = [name.casefold() for name in names]
    usual = {*ANCHORS, *POSITIVES, *HEADERS, ANSWERS, ROW}
    known = all(case in usual or NEGATIVE.fullmatch(case) for case in cases)
    return known and any(c in ANCHORS for c in cases) and any(c in POSITIVES for c in cases)


def rows_in_memory(first: Mapping[str, Any], asked: Any, lang: str, name: str, notes: Notes) -> Any:
    """Return a function from a row in memory and its place to its pairs.

    Args:
        first: The first row, whose keys are the columns.
        asked: The columns that the user names, if any.
        lang: Language of the texts.
        name: Name of the data.
        notes: As for `PairColumns.find`.

    Raises:
        UserError: If there is no column for a side.
    """
    keys = [str(key) for key in first]
    named = keys != [str(number) for number in range(1, len(keys) + 1)]
    columns = PairColumns.find(keys, asked, name, notes, named)
    return lambda row, where: columns.pairs(row, lang, where)


Part = TextPairs
