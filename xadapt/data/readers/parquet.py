"""Read parallel text from Parquet files, through pyarrow, one batch of a row group at a time.

The columns of the sides are found as in JSONL: a ``translation`` column, columns named after the
languages, ``pivot`` and ``text``, or the columns of ``--columns``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xadapt.data.readers.mapped_rows import parquet_rows
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request, row_pairs
from xadapt.data.records import ParallelPair


@dataclass(frozen=True)
class Parquet:
    """Reader of ``.parquet``. It needs the extra ``data``.

    Attributes:
        min_score: Leave out pairs with a lower value of the column ``score`` (or another usual name
            of one).
    """

    min_score: float | None = None

    format: ClassVar[str] = "parquet"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.parquet``."""
        return source.lower().endswith(".parquet") and not source.startswith("hf:")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. The origin is the file and the row's number from 1.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where unused columns and skipped rows are reported.

        Raises:
            UserError: If pyarrow is not installed, the file can't be read, or half of the rows lack
                a side.
        """
        yield from row_pairs(parquet_rows(source), source, request, noted(notes), self.min_score)


Part = Parquet
