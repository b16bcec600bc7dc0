"""Scores of mined pairs: their usual names, and pairs with a score below a threshold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes, RowError, attempt

SCORES = frozenset({
    "score", "scores", "margin", "margin_score", "laser", "laser_score", "laser_margin_score",
    "cosine", "cosine_similarity", "similarity", "sim", "bicleaner", "bicleaner_score", "comet",
})  # fmt: skip
"""Usual names of a column of scores, in lower case."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?|[+-]?\.\d+")


class LowScores:
    """Rows that are left out since their score is too low.

    Args:
        least: The lowest score that is kept.
    """

    def __init__(self, least: float) -> None:
        self.least, self.dropped, self.seen = least, 0, 0

    def keeps(self, score: object, where: str) -> bool:
        """Return whether a score is high enough.

        Raises:
            RowError: If the score is no number.
        """
        value = score_of(score, where)
        self.seen += 1
        self.dropped += value < self.least
        return value >= self.least

    def left_out(self, rows: Iterable[Any], column: int, source: str) -> Iterator[Any]:
        """Yield the rows of a table with a score that is high enough, and faulty ones."""
        for number, cells in rows:
            if not any(map(str.strip, cells)):
                continue
            score = cells[column] if column < len(cells) else ""
            keeps = attempt(self.keeps, score, f"{source}:{number}")
            if isinstance(keeps, RowError):
                yield keeps
            elif keeps:
                yield number, cells

    def tell(self, source: str, notes: Notes) -> None:
        """Report the number of rows that were left out."""
        if self.dropped:
            line = f"{self.dropped:,} of {self.seen:,} pairs with a score below {self.least:g}"
            notes.add(source, f"{line} are left out", usual=True)


def named_score(names: Sequence[str]) -> int | None:
    """Return the column of a header that is named like a score."""
    return next((i for i, name in enumerate(names) if name.strip().casefold() in SCORES), None)


def is_number(cell: str) -> bool:
    """Return whether a cell is a plain number."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_score(cell: str) -> bool:
    """Return whether a cell is a number with a decimal point, so that it is no id."""
    return "." in cell and is_number(cell)


def score_of(value: object, where: str) -> float:
    """Return a score as a number.

    Raises:
        RowError: If it is none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:
        return float(value)
    if isinstance(value, str) and is_number(value):
        return float(value)
    raise RowError(f"the score {str(value)[:40]!r} is no number", where=where)


def no_scores(source: str) -> UserError:
    """Build the error for ``min_score`` without a column of scores."""
    return UserError(
        "min_score is given, and there is no column of scores",
        where=source,
        todo="Leave min_score out, or name the column 'score' in a header",
    )
