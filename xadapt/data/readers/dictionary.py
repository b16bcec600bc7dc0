"""Read bilingual dictionaries: a word of the pivot language and its translation on each line.

The columns are separated by tabs; further columns, such as a source, are not used. Lines without a
tab hold two words with one space between them, as the files of MUSE do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.data.readers.columns import FEW, HEAD, HEADERS, is_number_or_id
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.tables import Row, tab_rows
from xadapt.data.records import WordPair
from xadapt.languages.tags import normalise

FORM = "Write: English word, tab, translation"


@dataclass(frozen=True)
class Dictionary:
    """Reader of dictionaries. It never claims a file, since parallel text looks the same.

    Attributes:
        first: The side of the first column: ``pivot`` or ``word``.
        pivot: Language of the pivot side.
    """

    first: Literal["pivot", "word"] = "pivot"
    pivot: str = "en"

    format: ClassVar[str] = "dictionary"
    gives: ClassVar[type] = WordPair

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[WordPair]:
        """Stream the entries; a repeated one is given once.

        Args:
            source: The file.
            lang: Language of the translations.
            notes: Where a header, repetitions and skipped lines are reported.

        Raises:
            UserError: If half of the lines are faulty (one column, an empty word), a column holds
                numbers, or the file has no entry.
        """
        found, langs = noted(notes), (lang, normalise(self.pivot))
        filled = (row for row in tab_rows(source, found) if any(c.strip() for c in row[1]))
        head = list(islice(filled, HEAD))
        if head and all(cell.strip().casefold() in HEADERS for cell in head[0][1]):
            found.add(source, f"line {head[0][0]} is a header")
            head = head[1:]
        if not head:
            raise UserError("there is no entry in this dictionary", where=source, todo=FORM)
        for place in (0, 1):
            cells = [row[place] for _, line in head if len(row := _cells(line)) > 1]
            if len(cells) >= FEW and 2 * sum(map(is_number_or_id, cells)) > len(cells):
                raise UserError(f"column {place + 1} holds numbers or ids", where=source, todo=FORM)
        rows = (attempt(self._pair, row, langs, source) for row in chain(head, filled))
        known: set[WordPair] = set()
        again = 0
        for pair in without_faulty(rows, source, found, "line"):
            again += pair in known
            if pair not in known:
                known.add(pair)
                yield pair
        if again:
            found.add(source, f"{again} repeated entries left out")

    def _pair(self, row: Row, langs: tuple[str, str], source: str) -> WordPair:
        where, cells = f"{source}:{row[0]}", _cells(row[1])
        if len(cells) < 2:
            raise RowError("this line has one column", where=where, todo=FORM)
        pivot, word = cells[:2] if self.first == "pivot" else (cells[1], cells[0])
        if not word or not pivot:
            raise RowError("a word is empty", where=where, todo=FORM)
        return WordPair(word, pivot, *langs, origin=where)


def _cells(row: list[str]) -> list[str]:
    """Return the cells of a row; a row of two words is split at its space."""
    cells = [cell.strip() for cell in row]
    parts = cells[0].split() if len(cells) == 1 else cells
    return parts if len(parts) == 2 or len(cells) > 1 else cells


Part = Dictionary
