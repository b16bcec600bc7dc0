"""Parallel text with one JSON object a line.

Known shapes are ``{"translation": {"en": .., "de": ..}}``, ``{"en": .., "de": ..}`` and
``{"pivot": .., "text": ..}``; ``--columns`` names other keys, nested ones with dots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.sides import Request, row_pair
from xadapt.data.records import ParallelPair


class Jsonl:
    """Reader of ``.jsonl`` and ``.ndjson``, also ``.gz``."""

    format: ClassVar[str] = "jsonl"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Whether the name ends as such a file's does."""
        return has_suffix(source, ".jsonl", ".ndjson")

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Stream the pairs; empty lines are passed over.

        Raises:
            UserError: A line is no JSON object, lacks a side, or can't be read.
        """
        for number, line in read_lines(source, limit=request.limits.chars):
            if line.strip():
                where = f"{source}:{number}"
                pair = row_pair(parse_object(line, where), request, where)
                if pair:
                    yield pair


def parse_object(line: str, where: str) -> dict[str, Any]:
    """The JSON object on a line.

    Raises:
        UserError: There is none.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UserError(
            f"this line is not JSON ({reason})", where=where, todo="Write one object a line"
        ) from None
    if not isinstance(value, dict):
        raise UserError(
            f"this line holds a JSON {type(value).__name__}, not an object",
            where=where,
            todo='Write one object a line, such as {"en": "...", "de": "..."}',
        )
    return value


Part = Jsonl
