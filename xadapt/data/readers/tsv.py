"""Tab-separated parallel text: no header and no quoting; column 1 the pivot, column 2 the language.

Further columns are ignored. ``--columns 2,1`` takes others by number, ``--columns English,German``
by the names in a header line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.sides import NAME_COLUMNS, Request, make_pair, missing_column
from xadapt.data.records import ParallelPair


class Tsv:
    """Reader of ``.tsv``, ``.tab`` and ``.txt``, each also ``.gz``."""

    format: ClassVar[str] = "tsv"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Whether the name ends as such a file's does."""
        return has_suffix(source, ".tsv", ".tab", ".txt")

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Stream the pairs; lines that hold nothing are passed over.

        Raises:
            UserError: A row lacks a column, a side is empty, or a line can't be read.
        """
        indexes = column_numbers(request.columns or ("1", "2"))
        for number, line in read_lines(source, limit=request.limits.chars):
            where = f"{source}:{number}"
            cells = line.split("\t")
            if indexes is None:
                indexes = header_indexes(cells, request, where)
                continue
            if not line.strip():
                continue
            pivot, text = pick(cells, indexes, where)
            pair = make_pair(request, text=text, pivot=pivot, where=where)
            if pair:
                yield pair


def column_numbers(columns: tuple[str, ...]) -> tuple[int, int] | None:
    """Indexes from 0 if both columns are numbers from 1, else ``None`` (they are names)."""
    if all(column.isascii() and column.isdigit() and len(column) < 6 for column in columns):
        pivot, text = (int(column) - 1 for column in columns)
        return pivot, text
    return None


def header_indexes(cells: list[str], request: Request, where: str) -> tuple[int, int]:
    """Indexes of the named columns in a header.

    Raises:
        UserError: One of them is not there.
    """
    names = [cell.strip() for cell in cells]
    try:
        pivot, text = (names.index(column) for column in request.columns)
    except ValueError:
        raise missing_column(names, request, where) from None
    return pivot, text


def pick(cells: list[str], indexes: tuple[int, int], where: str) -> tuple[str, str]:
    """The cells ``(pivot, text)`` of a row.

    Raises:
        UserError: The row has too few.
    """
    if max(indexes) >= len(cells):
        raise UserError(
            f"column {max(indexes) + 1} is missing: this row has {len(cells)}",
            where=where,
            todo=f"Columns must be separated by tabs (TSV) or commas (CSV). {NAME_COLUMNS}",
        )
    return cells[indexes[0]], cells[indexes[1]]


Part = Tsv
