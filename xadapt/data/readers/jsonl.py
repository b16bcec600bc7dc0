"""Read parallel text with one JSON object a line.

Known shapes are ``{"translation": {"en": .., "de": ..}}``, ``{"en": .., "de": ..}`` and
``{"pivot": .., "text": ..}``. ``--columns`` names other keys, with dots for nested keys.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request, row_pairs
from xadapt.data.records import ParallelPair


@dataclass(frozen=True)
class Jsonl:
    """Reader of ``.jsonl`` and ``.ndjson``, also compressed.

    Attributes:
        min_score: Leave out pairs with a lower value of the key ``score`` (or another usual name of
            one).
    """

    min_score: float | None = None

    format: ClassVar[str] = "jsonl"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.jsonl`` or ``.ndjson``."""
        return has_suffix(source, ".jsonl", ".ndjson")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. Empty lines are skipped.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where unused keys and skipped rows are reported.

        Raises:
            UserError: If a line is no JSON object, has a key twice, or can't be read, or if half
                of the rows lack a side.
        """
        found = noted(notes)
        lines = read_lines(source, limit=request.limits.chars)
        objects = (
            (f"{source}:{number}", parse_object(line, f"{source}:{number}"))
            for number, line in lines
            if line.strip()
        )
        yield from row_pairs(objects, source, request, found, self.min_score)


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Parse the JSON object on a line.

    Raises:
        UserError: If the line is no JSON object, or the object has a key twice.
    """
    value = parse_json(line, where, "this line", "Write one object a line")
    if not isinstance(value, dict):
        raise UserError(
            f"this line holds a JSON {type(value).__name__}, not an object",
            where=where,
            todo='Write one object a line, such as {"en": "...", "de": "..."}',
        )
    return value


def parse_json(text: str | bytes, where: str, what: str = "this", todo: str = "") -> Any:
    """Parse JSON strictly.

    Raises:
        UserError: If the text is no JSON, or an object in the text has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except _TwiceError as error:
        raise UserError(
            f"{what} has the key {error.key[:40]!r} twice", where=where, todo="Remove one of them"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UserError(f"{what} is not JSON ({reason})", where=where, todo=todo) from None


class _TwiceError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _each_once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) < len(items):
        counts = Counter(key for key, _ in items)
        raise _TwiceError(next(key for key, count in counts.items() if count > 1))
    return found


Part = Jsonl
