"""Read tab-separated pairs of texts with a score: first text, second text, score.

An extra first column is the number of the row: translations of a row have the same, and stay in one
part of a split. A header of usual names of columns is skipped, and so are empty lines. In JSON
lines, Parquet and ``hf:``, the columns are named (``sentence1``, ``sentence2``, ``score``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.columns import FEW, HEAD, HEADERS, is_number_or_id
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.row_records import (
    FIRST,
    SCORE,
    SECOND,
    number_of,
    read_mapped,
    text_of,
)
from xadapt.data.readers.tables import Row, tab_rows
from xadapt.data.records import ScoredPair

FORM = "Write: first text, tab, second text, tab, score; an index may stand in front"


class ScoredPairs:
    """Reader of STS data. It never claims a file, since parallel text looks the same."""

    format: ClassVar[str] = "scored_pairs"
    gives: ClassVar[type] = ScoredPair

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of texts is parallel text unless a recipe says otherwise."""
        return False

    def read(
        self, source: str, lang: str, right_lang: str | None = None, notes: Notes | None = None
    ) -> Iterator[ScoredPair]:
        """Stream the pairs.

        Args:
            source: The file.
            lang: Language of the first texts.
            right_lang: Language of the second texts. The default is ``lang``.
            notes: Where a header, an unused column and skipped lines are reported.

        Raises:
            UserError: If texts are numbers, half of the lines are faulty (another number of
                columns than the first, an empty text, a score that is no finite number), or the
                file has no line.
        """
        found = noted(notes)
        langs = (lang, right_lang or lang)
        if kind_of_rows(source):
            usual = {"first text": FIRST, "second text": SECOND, "score": SCORE}
            yield from read_mapped(source, usual, partial(_mapped, langs), found)
            return
        filled = (row for row in tab_rows(source, found) if any(c.strip() for c in row[1]))
        head = list(islice(filled, HEAD))
        if head and all(cell.strip().casefold() in HEADERS for cell in head[0][1]):
            names = ", ".join(cell.strip() for cell in head[0][1])
            found.add(source, f"line {head[0][0]} is a header: {names}")
            head = head[1:]
        if not head:
            raise UserError("there is no pair in this file", where=source)
        columns = len(head[0][1])
        if columns == 4:
            found.add(source, "column 1 is the number of the row", usual=True)
        _require_text([cells for _, cells in head], source)
        rows = (attempt(_pair, row, columns, langs, source) for row in chain(head, filled))
        yield from without_faulty(rows, source, found, "line")


def _require_text(rows: Sequence[Sequence[str]], source: str) -> None:
    for place, name in ((-3, "first"), (-2, "second")):
        cells = [row[place] for row in rows if len(row) in (3, 4)]
        if len(cells) >= FEW and 2 * sum(map(is_number_or_id, cells)) > len(cells):
            raise UserError(f"the {name} texts are numbers or ids", where=source, todo=FORM)


def _pair(row: Row, columns: int, langs: tuple[str, str], source: str) -> ScoredPair:
    where = f"{source}:{row[0]}"
    cells = [cell.strip() for cell in row[1]]
    if len(cells) not in (3, 4) or len(cells) != columns:
        first = f", and those above have {columns}" if len(cells) != columns else ""
        raise RowError(f"this line has {len(cells)} columns{first}", where=where, todo=FORM)
    left, right, score = cells[-3:]
    if not left or not right:
        raise RowError("a text is empty", where=where, todo=FORM)
    number = cells[0] if len(cells) == 4 and cells[0].isdigit() else ""
    return ScoredPair(left, right, _number(score, where), *langs, row=number, origin=where)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RowError(f"the score {text[:40]!r} is no number", where=where, todo=FORM)
    return value


def _mapped(langs: tuple[str, str], values: dict[str, Any], where: str) -> ScoredPair:
    left = text_of(values["first text"], "the first text", where)
    right = text_of(values["second text"], "the second text", where)
    return ScoredPair(
        left, right, number_of(values["score"], "the score", where), *langs, origin=where
    )


Part = ScoredPairs
