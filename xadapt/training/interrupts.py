"""Ctrl-C and SIGTERM: between two steps of training, never inside one; anywhere else at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


class Terminated(SystemExit):
    """SIGTERM came; a process that does not catch it ends as the signal would have ended it."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM inside the block instead of acting on them.

    Yields:
        The numbers of the signals that came; it grows as they come.
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
    """What to raise for signals that were collected."""
    return Terminated() if signal.SIGTERM in caught else KeyboardInterrupt()


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` inside the block, so that what is open is closed.

    A process in which it is ignored goes on ignoring it.
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
