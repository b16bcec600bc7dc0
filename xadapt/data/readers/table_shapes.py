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

from xadapt.data.readers.scores import is_number, is_score
from xadapt.data.readers.sides import Request, find_language

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


def _share(rows: Sequence[Sequence[str]], column: int, test: Callable[[str], bool]) -> float:
    cells = [row[column].strip() for row in rows if column < len(row) and row[column].strip()]
    return sum(map(test, cells)) / len(cells) if cells else 0.0
