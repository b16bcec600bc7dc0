"""Ctrl-C and SIGTERM: handled between two steps in training, and at once elsewhere."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


class Terminated(SystemExit):
    """The exception for SIGTERM.

    A process that does not catch the exception ends as the signal would have ended the process.
    """

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM inside the block instead of acting on them.

    Yields:
        The numbers of the signals received so far; the list grows with each signal.
    """
    caught: list[int] = []
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            before[number] = signal.signal(number, lambda n, _: caught.append(n))
        except ValueError:  # not in the main thread
            continue
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interruption(caught: Sequence[int]) -> Terminated | KeyboardInterrupt:
    """Return the exception to raise for collected signals."""
    return Terminated() if signal.SIGTERM in caught else KeyboardInterrupt()


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` inside the block, so that open resources are closed.

    A process that ignores SIGTERM goes on ignoring the signal.
    """
    before = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    if not main or before in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
