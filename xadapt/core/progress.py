"""Live progress: a bar with the time left in a notebook or on a terminal, else occasional lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from xadapt.core.notebook import cell_bar, in_notebook

EVERY = 15.0
LATE = 2.0
"""Seconds before `watched` shows its count; most sources are read by then."""
WATCHED_ROWS = 1000
T = TypeVar("T")


class Meter:
    """A counter of work done towards a total.

    Args:
        label: The name of the work.
        total: The number of units; ``None`` if not known.
        bar: The bar to move; ``None`` prints lines.
        cell: The bar of a notebook's cell.
    """

    def __init__(
        self, label: str, total: int | None, bar: Progress | None, cell: Any = None
    ) -> None:
        self._cell = cell
        self.label, self.total, self.done = label, total, 0
        self._bar, self._start, self._said = bar, time.monotonic(), time.monotonic()
        self._skipped = 0
        self._task = bar.add_task(label, total=total, note="") if bar else None

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count some units, with a note such as the loss."""
        self.done += count
        if self._cell is not None:
            self._cell.set_postfix_str(note, refresh=False)
            self._cell.update(count)
        elif self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count, note=note)
        elif time.monotonic() - self._said > EVERY and self.done != self.total:
            self._said = time.monotonic()
            self._line(note)

    def skip(self, count: int) -> None:
        """Count units that were done in an earlier session."""
        self.done += count
        self._skipped += count
        if self._cell is not None:
            self._cell.initial += count
            self._cell.update(count)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count)

    def rate(self) -> float:
        """Compute the units per second in this session."""
        return (self.done - self._skipped) / max(1e-9, time.monotonic() - self._start)

    def _line(self, note: str) -> None:
        fresh, seconds = max(1, self.done - self._skipped), self._said - self._start
        state = f"{self.done}"
        if self.total is not None:
            left = seconds / fresh * (self.total - self.done)
            state = f"{self.done}/{self.total}, {_clock(left)} left"
        text = f"{self.label} {state} {note}"
        sys.stderr.write(text.rstrip() + "\n")
        sys.stderr.flush()


@contextmanager
def meter(label: str, total: int | None, show: bool = True) -> Iterator[Meter]:
    """Show progress inside the block; nothing is shown if ``show`` is false."""
    if show and in_notebook():
        with cell_bar(label, total) as cell:
            yield Meter(label, total, None, cell)
        return
    console = Console(stderr=True)
    if not show or not console.is_terminal:
        quiet = Meter(label, total, None)
        if not show:
            quiet._said = float("inf")
        yield quiet
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        yield Meter(label, total, bar)


def watched(rows: Iterable[T], label: str, show: bool = True) -> Iterator[T]:
    """Yield rows unchanged, and show their count after the first seconds.

    Args:
        rows: Any rows.
        label: The name of the work on the rows.
        show: Whether to show the count.
    """
    began, bar = time.monotonic(), None
    with ExitStack() as stack:
        for count, row in enumerate(rows, 1):
            yield row
            if count % WATCHED_ROWS:
                continue
            if bar is not None:
                bar.advance(WATCHED_ROWS)
            elif time.monotonic() - began > LATE:
                bar = stack.enter_context(meter(label, None, show))
                bar.advance(count)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
