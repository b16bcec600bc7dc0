"""Live progress on stderr: a bar with the time left on a terminal, else occasional lines.

One display is live at a time. A bar inside `waiting` takes its place, and a bar inside another bar
stays silent.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

EVERY = 15.0
"""Seconds between two lines where there is no terminal."""
LATE = 2.0
"""Seconds of work before `waiting`, `watched` and `ambient` show anything on a terminal."""
WATCHED_ROWS = 1000
T = TypeVar("T")


class _Displays(threading.local):
    """The displays of this thread: what waits, and how many bars are live.

    ``all`` says whether the bars of `ambient` are shown.
    """

    def __init__(self) -> None:
        self.waits: list[_Wait] = []
        self.bars = 0
        self.all = False


_displays = _Displays()


class _Wait:
    """Work of unknown length: a spinner on a terminal, one line elsewhere, if it takes long."""

    def __init__(self, label: str) -> None:
        self.label, self._began, self._said = label, time.monotonic(), False
        self._lock, self._round = threading.Lock(), 0
        self._timer: threading.Timer | None = None
        self._bar: Progress | None = None

    def start(self) -> None:
        """Show the work once it is late."""
        late = LATE if Console(stderr=True).is_terminal else EVERY
        late = max(0.0, late - (time.monotonic() - self._began))
        self._timer = threading.Timer(late, self._show, [self._round])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Show nothing more, until the next start."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._round += 1  # for a timer that has just fired
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _show(self, number: int) -> None:
        with self._lock:
            if number != self._round:
                return
            console = Console(stderr=True)
            if console.is_terminal:
                self._bar = _progress(
                    console, SpinnerColumn(), TextColumn(self.label), TimeElapsedColumn()
                )
                self._bar.add_task(self.label, total=None)
                self._bar.start()
            elif not self._said:
                self._said = True
                sys.stderr.write(f"{self.label} ...\n")
                sys.stderr.flush()


@contextmanager
def waiting(label: str, show: bool = True) -> Iterator[None]:
    """Show that work of unknown length goes on: after 2 s on a terminal, after 15 s elsewhere.

    Args:
        label: The name of the work.
        show: Whether to show it.
    """
    if not show or _displays.bars:
        yield
        return
    wait = _Wait(label)
    with _hidden():
        _displays.waits.append(wait)
        wait.start()
        try:
            yield
        finally:
            wait.stop()
            _displays.waits.pop()


@contextmanager
def _hidden() -> Iterator[None]:
    """Hide what waits while another display is live."""
    outer = _displays.waits[-1] if _displays.waits else None
    if outer is not None:
        outer.stop()
    try:
        yield
    finally:
        if outer is not None:
            outer.start()


@contextmanager
def all_shown() -> Iterator[None]:
    """Show the progress of every `ambient` work inside the block."""
    before, _displays.all = _displays.all, True
    try:
        yield
    finally:
        _displays.all = before


def ambient(
    rows: Iterable[tuple[list[int], T]], label: str, total: int
) -> Iterator[tuple[list[int], T]]:
    """Yield the results of forwards unchanged, with a bar after two seconds inside `all_shown`.

    Args:
        rows: The positions of the rows of each forward, and its result.
        label: The name of the work.
        total: The number of rows.
    """
    if not _displays.all or _displays.bars:
        yield from rows
        return
    began, done, bar = time.monotonic(), 0, None
    with ExitStack() as stack:
        for chunk, result in rows:
            yield chunk, result
            done += len(chunk)
            if bar is not None:
                bar.advance(len(chunk))
            elif time.monotonic() - began > LATE:
                bar = stack.enter_context(meter(label, total, transient=True))
                bar.advance(done)


class Meter:
    """A counter of work done towards a total.

    Args:
        label: The name of the work.
        total: The number of units; ``None`` if not known.
        bar: The bar to move; ``None`` prints lines.
    """

    def __init__(self, label: str, total: int | None, bar: Progress | None) -> None:
        self.label, self.total, self.done = label, total, 0
        self._bar, self._start, self._said = bar, time.monotonic(), time.monotonic()
        self._skipped = 0
        self._task = bar.add_task(label, total=total, note="") if bar else None

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count some units, with a note such as the loss."""
        self.done += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count, note=note)
        elif time.monotonic() - self._said > EVERY and self.done != self.total:
            self._said = time.monotonic()
            self._line(note)

    def skip(self, count: int) -> None:
        """Count units that were done in an earlier session."""
        self.done += count
        self._skipped += count
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
def meter(
    label: str, total: int | None, show: bool = True, *, transient: bool = False
) -> Iterator[Meter]:
    """Show progress inside the block.

    Args:
        label: The name of the work.
        total: The number of units; ``None`` if not known.
        show: Whether to show it. Inside another bar nothing is shown either.
        transient: Whether the bar disappears at the end.
    """
    if not show or _displays.bars:
        quiet = Meter(label, total, None)
        quiet._said = float("inf")
        yield quiet
        return
    with _hidden():
        _displays.bars += 1
        try:
            yield from _live(label, total, transient)
        finally:
            _displays.bars -= 1


def _live(label: str, total: int | None, transient: bool) -> Iterator[Meter]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Meter(label, total, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with _progress(console, *columns, transient=transient) as bar:
        yield Meter(label, total, bar)


def _progress(console: Console, *columns: Any, transient: bool = True) -> Progress:
    """Return a display that leaves standard output alone where it goes to a file or a pipe."""
    terminal = bool(sys.stdout is not None and sys.stdout.isatty())
    return Progress(*columns, console=console, transient=transient, redirect_stdout=terminal)


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
