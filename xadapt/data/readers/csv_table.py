"""Comma-separated parallel text with RFC 4180 quoting, with or without a header.

The first row is a header when ``--columns`` gives names, or when its cells name both sides: the two
languages (``en,de``, ``English,German``, ``en-GB,deu``) or ``pivot,text``. Otherwise every row is
data, column 1 the pivot and column 2 the language, unless ``--columns`` gives other numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines, too_long
from xadapt.data.readers.sides import Request, find_sides, make_pair
from xadapt.data.readers.tsv import column_numbers, header_indexes, pick
from xadapt.data.records import ParallelPair


class CsvTable:
    """Reader of ``.csv``, also ``.gz``."""

    format: ClassVar[str] = "csv"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Whether the name ends in ``.csv``."""
        return has_suffix(source, ".csv")

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Stream the pairs; rows that hold nothing are passed over.

        Raises:
            UserError: A column is missing, a side is empty, the quoting is broken, or a line
                can't be read.
        """
        indexes = column_numbers(request.columns) if request.columns else None
        for number, cells in _rows(source, request.limits.chars):
            where = f"{source}:{number}"
            if indexes is None:
                indexes, is_header = _first_row(cells, request, where)
                if is_header:
                    continue
            if not any(cell.strip() for cell in cells):
                continue
            pivot, text = pick(cells, indexes, where)
            pair = make_pair(request, text=text, pivot=pivot, where=where)
            if pair:
                yield pair


def _first_row(cells: list[str], request: Request, where: str) -> tuple[tuple[int, int], bool]:
    if request.columns:
        return header_indexes(cells, request, where), True
    names = [cell.strip() for cell in cells]
    sides = find_sides(tuple(names), request)
    if sides:
        return (names.index(sides[0]), names.index(sides[1])), True
    return (0, 1), False


def _rows(source: str, limit: int) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(first line of the row, cells)``; a quoted cell may run over several lines."""
    feed = _Feed(source, limit)
    rows = csv.reader(feed, strict=True)
    while True:
        feed.start()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"{source}:{feed.first}"
            if "field larger" in str(error):
                raise too_long(where, csv.field_size_limit()) from None
            raise UserError(
                f"this row is not valid CSV ({error})",
                where=where,
                todo='Cells with a comma, quote or line end stand in "..." with quotes doubled',
            ) from None
        yield feed.first, cells


class _Feed:
    """Lines for :func:`csv.reader` that knows where a row began and how long it has grown."""

    def __init__(self, source: str, limit: int) -> None:
        self.source, self.limit = source, limit
        self.lines = read_lines(source, limit=limit)
        self.first = self.last = self.chars = 0

    def start(self) -> None:
        self.first, self.chars = self.last + 1, 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        self.last, line = next(self.lines)
        self.chars += len(line) + 1
        if self.chars > self.limit + 1:
            raise too_long(f"{self.source}:{self.first}", self.limit)
        return line + "\n"


Part = CsvTable
