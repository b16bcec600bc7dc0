"""Read tab-separated parallel text: column 1 is the pivot, column 2 the language.

A first line that names both sides (the languages, or ``pivot`` and ``text``) is a header and
decides the columns. A first line of usual names of columns is skipped. ``--columns 2,1`` selects
columns by number, ``--columns English,German`` by the names in a header line. Cells are not
unquoted, unless the first lines show that the file is quoted like CSV.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.columns import read_pairs_of_lines, read_pairs_of_table
from xadapt.data.readers.lines import Chunk, has_suffix, numbered
from xadapt.data.readers.moses import other_file
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request
from xadapt.data.readers.tables import quoted_rows, tab_chunks
from xadapt.data.records import ParallelPair


@dataclass(frozen=True)
class Tsv:
    """Reader of ``.tsv``, ``.tab`` and ``.txt``, also compressed.

    Attributes:
        min_score: Leave out pairs with a lower score, in the unit of the file. The column of scores
            has one of the usual names in the header, or is the only one with decimal numbers.
    """

    min_score: float | None = None

    format: ClassVar[str] = "tsv"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.tsv``, ``.tab`` or ``.txt``."""
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
            UserError: If a column is missing or contains numbers, a line can't be read, half of
                the rows are faulty, or a least score is given and there is no column of scores.
        """
        return chain.from_iterable(self._parts(source, request, noted(notes)))

    def _parts(
        self, source: str, request: Request, notes: Notes
    ) -> Iterator[Iterator[ParallelPair]]:
        """Yield one iterator, which a caller goes through without a call of Python for a pair."""
        limit = request.limits.chars
        quoted, chunks = tab_chunks(source, notes, limit)
        chunks = _no_side_alone(chunks, source, request)
        if quoted:
            rows = quoted_rows(numbered(chunks), source, "\t", limit)
            yield read_pairs_of_table(rows, source, request, notes, self.min_score)
        elif self.min_score is not None:
            rows = ((number, line.split("\t")) for number, line in numbered(chunks))
            yield read_pairs_of_table(rows, source, request, notes, self.min_score)
        else:
            yield read_pairs_of_lines(chunks, source, request, notes)


def _no_side_alone(chunks: Iterator[Chunk], source: str, request: Request) -> Iterator[Chunk]:
    """Pass lines through. Refuse the file of one side if the file of the other side exists."""
    for chunk in chunks:
        first = chunk.lines[0] if chunk.lines else ""
        twin = other_file(source, request) if first.strip() and "\t" not in first else None
        if twin:
            raise UserError(
                "this file has one column: it is one side of a Moses pair",
                where=f"{source}:{chunk.first}",
                todo=f"Name both files: --data {twin}",
            )
        yield chunk
        yield from chunks


Part = Tsv
