"""Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


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
