"""Recognise tables of public corpora without a header: columns of scores, and columns of ids.

Mined corpora (WikiMatrix, CCMatrix, LASER's ``mine_bitexts``) have a score before the two texts.
The pairs that Tatoeba exports have an id before each text. Their names tell the order of the
languages (``WikiMatrix.de-en.tsv.gz``, ``Sentence pairs in English-German.tsv``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import NamedTuple

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import RowError
from xadapt.data.readers.sides import Request, find_language

SCORES = frozenset({
    "score", "scores", "margin", "margin_score", "laser", "laser_score", "laser_margin_score",
    "cosine", "cosine_similarity", "similarity", "sim", "bicleaner", "bicleaner_score", "comet",
})  # fmt: skip
"""Usual names of a column of scores, in lower case."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?|[+-]?\.\d+")
_TAG = "([A-Za-z]{2,}(?:_[A-Za-z]{2,4})?)"
_TWO = re.compile(f"(?<![A-Za-z_-]){_TAG}-{_TAG}(?![A-Za-z_-])")
_MOST = 0.9


class Shape(NamedTuple):
    """The columns of a table without a header, from 0.

    Attributes:
        first: Column of the first text.
        second: Column of the second text.
        score: Column of the score, or ``None``.
    """

    first: int
    second: int
    score: int | None = None


def find_shape(rows: Sequence[Sequence[str]]) -> Shape | None:
    """Return the columns of a mined corpus or of Tatoeba's pairs, or ``None`` for other tables."""
    wide = [row for row in rows if len(row) > 2]
    if not wide or len(wide) < _MOST * len(rows):
        return None
    if _share(wide, 0, is_score) > _MOST and not any(
        _share(wide, i, is_number) > 0.5 for i in (1, 2)
    ):
        return Shape(1, 2, 0)
    four = [row for row in wide if len(row) == 4]
    ids = all(_share(four, i, str.isdigit) > _MOST for i in (0, 2))
    if four and ids and not any(_share(four, i, is_number) > 0.5 for i in (1, 3)):
        return Shape(1, 3)
    return None


def score_columns(rows: Sequence[Sequence[str]], used: Iterable[int]) -> list[int]:
    """Return the columns of decimal numbers among the columns that are no side."""
    width = max(map(len, rows), default=0)
    taken = set(used)
    return [i for i in range(width) if i not in taken and _share(rows, i, is_score) > _MOST]


def named_score(names: Sequence[str]) -> int | None:
    """Return the column of a header that is named like a score."""
    return next((i for i, name in enumerate(names) if name.strip().casefold() in SCORES), None)


def is_number(cell: str) -> bool:
    """Return whether a cell is a plain number."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_score(cell: str) -> bool:
    """Return whether a cell is a number with a decimal point, so that it is no id."""
    return "." in cell and is_number(cell)


def order_in_name(source: str, request: Request) -> str | None:
    """Return the side that a file's name puts first: ``pivot``, ``text`` or ``None``.

    ``WikiMatrix.de-en.tsv.gz`` puts ``de`` first.
    """
    for match in _TWO.finditer(PurePath(source.replace("\\", "/")).name):
        sides = [
            {side for side, tag in _tags(request) if find_language([piece], tag)}
            for piece in match.groups()
        ]
        if sides == [{"pivot"}, {"text"}]:
            return "pivot"
        if sides == [{"text"}, {"pivot"}]:
            return "text"
    return None


def _tags(request: Request) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("pivot", request.pivot_lang), ("text", request.lang)


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


def _share(rows: Sequence[Sequence[str]], column: int, test: Callable[[str], bool]) -> float:
    cells = [row[column].strip() for row in rows if column < len(row) and row[column].strip()]
    return sum(map(test, cells)) / len(cells) if cells else 0.0
