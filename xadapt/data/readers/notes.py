"""Notes of a reader: what it guessed, skipped or left unused, one line each.

A reader that takes a `Notes` reports there. Without one, the lines go to the log of this module:
what is unusual as a warning, what is the documented default as information.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from xadapt.core.errors import UserError

logger = logging.getLogger(__name__)
ENOUGH_FAULTS = 1000
"""Reading ends at so many faulty rows, if they are half of the rows so far."""

T = TypeVar("T")


class RowError(UserError):
    """A fault of one row: the row can be skipped, the rest of the source read."""


class Notes:
    """Lines about a source, each once, in the order they came."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, source: str, line: str, *, usual: bool = False) -> None:
        """Report one line.

        Args:
            source: Path or place it is about; only the last part of a path is kept.
            line: The sentence, without a full stop.
            usual: Whether this is the documented default, not worth a warning.
        """
        text = f"{name_of(source)}: {line}"
        if text not in self.lines:
            self.lines.append(text)


class LoggedNotes(Notes):
    """Notes of a caller that collects none: they are logged at once."""

    def add(self, source: str, line: str, *, usual: bool = False) -> None:
        """Log one line."""
        logger.log(logging.INFO if usual else logging.WARNING, "%s: %s", name_of(source), line)


def noted(notes: Notes | None) -> Notes:
    """The notes that were given, or some that are logged."""
    return LoggedNotes() if notes is None else notes


def name_of(where: str) -> str:
    """A place without the folders in front: no path of one machine belongs in a note."""
    return where.replace("\\", "/").rpartition("/")[2] or where


def joined(names: Iterable[str]) -> str:
    """Names as a list in a sentence: ``a, b and c``."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def attempt(make: Callable[..., T], *args: Any, **options: Any) -> T | RowError:
    """Call a function that makes one record, and return a fault of its row instead of raising it.

    Raises:
        UserError: If the fault is not of the row alone.
    """
    try:
        return make(*args, **options)
    except RowError as fault:
        return fault


def without_faulty(
    rows: Iterable[T | RowError], source: str, notes: Notes, unit: str = "row"
) -> Iterator[T]:
    """Stream the records among records and faults, and count the faults in one note.

    Args:
        rows: Records, or the faults of rows that gave none.
        source: What was read.
        notes: Where the count goes, with the place and reason of the first fault.
        unit: What a row is called.

    Raises:
        UserError: If half of the rows or more are faulty; it names the first fault.
    """
    faults, good = 0, 0
    first: RowError | None = None
    try:
        for row in rows:
            if isinstance(row, RowError):
                first = first or row
                faults += 1
                if faults >= max(ENOUGH_FAULTS, good):
                    break
            else:
                good += 1
                yield row
    except GeneratorExit:
        _tell_skipped(first, faults, good, source, notes, unit)
        raise
    if first is not None and faults >= good:
        raise _refusal(first, faults, good, unit)
    _tell_skipped(first, faults, good, source, notes, unit)


def _refusal(first: RowError, faults: int, good: int, unit: str) -> UserError:
    share = f" ({faults:,} of {faults + good:,} {unit}s are faulty)" if faults + good > 1 else ""
    return UserError(first.what + share, where=first.where, todo=first.todo)


def _tell_skipped(
    first: RowError | None, faults: int, good: int, source: str, notes: Notes, unit: str
) -> None:
    if first is not None:
        count = f"{faults:,} of {faults + good:,} {unit}s skipped"
        notes.add(source, f"{count}; the first, {name_of(first.where)}: {first.what}")


def read_with_notes(reader: Any, source: str, request: Any, notes: Notes) -> Iterator[Any]:
    """Call ``reader.read``, with the notes if it takes them.

    Args:
        reader: A reader; one that knows no notes has ``read(source, request)``.
        source: What to read.
        request: A language, or a `Request` for parallel text.
        notes: Where the reader reports.
    """
    if "notes" in inspect.signature(reader.read).parameters:
        return iter(reader.read(source, request, notes=notes))
    return iter(reader.read(source, request))
