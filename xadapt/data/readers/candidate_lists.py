"""Read mentions with their candidates: JSON lines, as ``xadapt link --pairs FILE.jsonl`` writes.

A row is ``{"text": "dolor", "candidates": ["pain; ache", "fever"], "scores": [0.8, 0.3],
"right": 0, "concept": "C1", "lang": "es"}``. ``right`` is a position, or null if no candidate is
right. ``concept`` and ``lang`` may be absent; the language is then that of the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_object
from xadapt.data.readers.label_columns import Rows
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.row_records import text_of
from xadapt.data.records import CandidateList
from xadapt.languages.tags import normalise

FORM = (
    'Write rows such as {"text": "dolor", "candidates": ["pain", "fever"], "scores": [0.8, 0.3], '
    '"right": 0}'
)


@dataclass(frozen=True)
class CandidateLists:
    """Reader of mentions with candidates. A recipe or a task names it."""

    format: ClassVar[str] = "candidate_lists"
    gives: ClassVar[type] = CandidateList

    def claims(self, source: str, request: object) -> bool:
        """Return False: JSON lines are parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[CandidateList]:
        """Stream the mentions.

        Args:
            source: The file.
            lang: Language of mentions whose row names none.
            notes: Where skipped rows are counted.

        Raises:
            UserError: If a line is no JSON object, half of the rows are faulty, or there is no row.
        """
        objects = (
            (f"{source}:{number}", parse_object(line, f"{source}:{number}"))
            for number, line in read_lines(source)
            if line.strip()
        )
        yield from self.read_rows(Rows(source, objects, {}), lang, noted(notes))

    def read_rows(self, rows: Rows, lang: str, notes: Notes) -> Iterator[CandidateList]:
        """Stream the mentions of rows, as `read`."""
        made = (
            row if isinstance(row, RowError) else attempt(_record, row, lang, where)
            for where, row in rows.rows
        )
        empty = True
        for record in without_faulty(made, rows.name, notes):
            empty = False
            yield record
        if empty:
            raise UserError("there is no mention with candidates", where=rows.name, todo=FORM)


def _record(row: Mapping[str, Any], lang: str, where: str) -> CandidateList:
    candidates, scores = row.get("candidates"), row.get("scores")
    if not isinstance(candidates, list | tuple) or not candidates:
        raise RowError("this row has no list of candidates", where=where, todo=FORM)
    if not isinstance(scores, list | tuple) or len(scores) != len(candidates):
        raise RowError("this row does not have a score for each candidate", where=where, todo=FORM)
    if not all(map(_is_number, scores)):
        raise RowError("a score is no finite number", where=where, todo=FORM)
    right = row.get("right")
    place = -1 if right is None else right
    whole = isinstance(place, int) and not isinstance(place, bool)
    if not whole or not -1 <= place < len(candidates):
        raise RowError("right is no position of a candidate", where=where, todo=FORM)
    tag = row.get("lang")
    if tag is not None and not isinstance(tag, str):
        raise RowError("lang is no language tag", where=where)
    return CandidateList(
        text_of(row.get("text"), "the text", where),
        tuple(text_of(one, "a candidate", where) for one in candidates),
        tuple(map(float, scores)),
        place,
        lang if tag is None else normalise(tag),
        concept=str(row.get("concept") or ""),
        origin=where,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


Part = CandidateLists
