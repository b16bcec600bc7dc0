"""Read tab-separated parallel text: column 1 is the pivot, column 2 the language.

A first line that names both sides (the languages, or ``pivot`` and ``text``) is a header and
decides the columns. A first line of usual names of columns is skipped. ``--columns 2,1`` selects
columns by number, ``--columns English,German`` by the names in a header line. Cells are not
unquoted, unless the first lines show that the file is quoted like CSV.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.columns import read_pairs_of_table
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.moses import other_file
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request
from xadapt.data.readers.tables import Row, tab_rows
from xadapt.data.records import ParallelPair


class Tsv:
    """Reader of ``.tsv``, ``.tab`` and ``.txt``, each also ``.gz``."""

    format: ClassVar[str] = "tsv"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.tsv``, ``.tab`` or ``.txt``, also ``.gz``."""
        return has_suffix(source, ".tsv", ".tab", ".txt")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. Empty lines are skipped.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where the layout, unused columns and skipped rows are reported.

        Raises:
            UserError: If a column is missing or contains numbers, a line can't be read, or half of
                the rows are faulty.
        """
        found = noted(notes)
        rows = tab_rows(source, found, request.limits.chars)
        yield from read_pairs_of_table(
            _no_side_alone(rows, source, request), source, request, found
        )


def _no_side_alone(rows: Iterator[Row], source: str, request: Request) -> Iterator[Row]:
    """Pass rows through. Refuse the file of one side if the file of the other side exists."""
    for number, cells in rows:
        twin = other_file(source, request) if len(cells) == 1 and cells[0].strip() else None
        if twin:
            raise UserError(
                "this file has one column: it is one side of a Moses pair",
                where=f"{source}:{number}",
                todo=f"Name both files: --data {twin}",
            )
        yield number, cells
        yield from rows


Part = Tsv
