"""Pairs of texts with a score: tab-separated, no header: first text, second text, score.

A fourth column in front (an index) is passed over. Also ``.gz``; empty lines are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.records import ScoredPair

FORM = "Write: first text, tab, second text, tab, score; an index may stand in front"


class ScoredPairs:
    """Reader of STS data; it never claims a file, for parallel text looks the same."""

    format: ClassVar[str] = "scored_pairs"
    gives: ClassVar[type] = ScoredPair

    def claims(self, source: str, request: object) -> bool:
        """No: a table of texts is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, right_lang: str | None = None) -> Iterator[ScoredPair]:
        """Stream the pairs.

        Args:
            source: The file.
            lang: Language of the first texts.
            right_lang: Language of the second ones; without, the same.

        Raises:
            UserError: A line has not as many columns as the first, a text is empty, a score is no
                finite number, or there is no line.
        """
        columns = 0
        for number, line in read_lines(source):
            if not line.strip():
                continue
            where = f"{source}:{number}"
            cells = [cell.strip() for cell in line.split("\t")]
            if len(cells) not in (3, 4) or (columns and len(cells) != columns):
                first = f", and those above have {columns}" if columns else ""
                raise UserError(
                    f"this line has {len(cells)} columns{first}", where=where, todo=FORM
                )
            columns = len(cells)
            left, right, score = cells[-3:]
            if not left or not right:
                raise UserError("a text is empty", where=where, todo=FORM)
            yield ScoredPair(
                left, right, _number(score, where), lang, right_lang or lang, origin=where
            )
        if not columns:
            raise UserError("there is no pair in this file", where=source)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"the score {text[:40]!r} is no number", where=where, todo=FORM)
    return value


Part = ScoredPairs
