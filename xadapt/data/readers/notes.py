"""Notes of a reader: guesses, skipped rows and unused columns, one line each.

A reader that takes a `Notes` reports there. Without a `Notes`, the lines go to the log of this
module. Unusual lines are warnings. Documented defaults are information.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from xadapt.core.errors import UserError

logger = logging.getLogger(__name__)
ENOUGH_FAULTS = 1000
"""Reading stops at this number of faulty rows, if they are half of the rows so far."""

T = TypeVar("T")


class RowError(UserError):
    """A fault of one row. The row can be skipped and the rest of the source read."""


class Notes:
    """Lines about a source, without repetition, in the order of arrival."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, source: str, line: str, *, usual: bool = False) -> None:
        """Report one line.

        Args:
            source: Path or place of the line. Only the last part of a path is kept.
            line: The sentence, without a full stop.
            usual: Whether the line is about the documented default, so that it is no warning.
        """
        text = f"{name_of(source)}: {line}"
        if text not in self.lines:
            self.lines.append(text)


class LoggedNotes(Notes):
    """Notes that are logged at once, for a caller that collects none."""

    def add(self, source: str, line: str, *, usual: bool = False) -> None:
        """Log one line, or pass an unusual one to the function of `reporting`."""
        report = _report.get()
        if report is not None and not usual:
            report(f"{name_of(source)}: {line}")
            return
        logger.log(logging.INFO if usual else logging.WARNING, "%s: %s", name_of(source), line)


_report: ContextVar[Callable[[str], None] | None] = ContextVar("report of notes", default=None)


@contextmanager
def reporting(report: Callable[[str], None]) -> Iterator[None]:
    """Pass unusual lines of `LoggedNotes` to a function inside the block, instead of the log.

    Args:
        report: Receives each line.
    """
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def noted(notes: Notes | None) -> Notes:
    """Return the given notes, or notes that are logged."""
    return LoggedNotes() if notes is None else notes


def name_of(where: str) -> str:
    """Return a place without its folders, so that notes contain no local path."""
    return where.replace("\\", "/").rpartition("/")[2] or where


def joined(names: Iterable[str]) -> str:
    """Join names as a list in a sentence: ``a, b and c``."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def attempt(make: Callable[..., T], *args: Any, **options: Any) -> T | RowError:
    """Call a function that makes one record, and return a `RowError` instead of raising it.

    Raises:
        UserError: If the fault is not a `RowError`, so that the row can't be skipped.
    """
    try:
        return make(*args, **options)
    except RowError as fault:
        return fault


def without_faulty(
    rows: Iterable[T | RowError], source: str, notes: Notes, unit: str = "row"
) -> Iterator[T]:
    """Yield the records, drop the faults, and report the number of faults in one note.

    Args:
        rows: Records, or faults of rows without a record.
        source: Name of the source.
        notes: Where the count is reported, with the place and reason of the first fault.
        unit: Name of a row, in the singular.

    Raises:
        UserError: If half of the rows or more are faulty. The error names the first fault.
    """
    for batch in batches_without_faulty(rows, source, notes, unit):
        yield from batch


def batches_without_faulty(
    rows: Iterable[list[T] | T | RowError], source: str, notes: Notes, unit: str = "row"
) -> Iterator[Sequence[T]]:
    """Yield the records as `without_faulty`; a row may also be a list of many records."""
    faults, good = 0, 0
    first: RowError | None = None
    try:
        for row in rows:
            if isinstance(row, list):
                good += len(row)
                yield row
            elif isinstance(row, RowError):
                first = first or row
                faults += 1
                if faults >= max(ENOUGH_FAULTS, good):
                    break
            else:
                good += 1
                yield (row,)
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
    """Call ``reader.read``, with the notes if the reader takes notes.

    Args:
        reader: A reader. A reader without notes has ``read(source, request)``.
        source: The source to read.
        request: A language, or a `Request` for parallel text.
        notes: Where the reader reports.
    """
    if "notes" in inspect.signature(reader.read).parameters:
        return iter(reader.read(source, request, notes=notes))
    return iter(reader.read(source, request))
