"""Read comma-separated parallel text with RFC 4180 quoting, with or without a header.

The first row is a header in three cases. ``--columns`` gives names. Or its cells name both sides:
the two languages (``en,de``, ``English,German``, ``en-GB,deu``) or ``pivot,text``. Or all its cells
are usual names of columns (``id,source,target``). Column 1 is the pivot and column 2 the language,
unless the header names the sides or ``--columns`` gives other numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xadapt.data.readers.columns import read_pairs_of_table
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request
from xadapt.data.readers.tables import quoted_rows
from xadapt.data.records import ParallelPair


@dataclass(frozen=True)
class CsvTable:
    """Reader of ``.csv``, also compressed.

    Attributes:
        min_score: Leave out pairs with a lower score, see `xadapt.data.readers.tsv.Tsv`.
    """

    min_score: float | None = None

    format: ClassVar[str] = "csv"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.csv``."""
        return has_suffix(source, ".csv")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. Empty rows are skipped.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where the layout, unused columns and skipped rows are reported.

        Raises:
            UserError: If a column is missing or contains numbers, the quoting is broken, a line
                can't be read, or half of the rows are faulty.
        """
        limit = request.limits.chars
        rows = quoted_rows(read_lines(source, limit=limit), source, ",", limit)
        yield from read_pairs_of_table(rows, source, request, noted(notes), self.min_score)


Part = CsvTable
