"""Which rows of which requests share the next forward."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from xadapt.serving.rows import Row, Work

WINDOW = 256
"""How many waiting rows are looked at for one forward."""
SMALL = 4
"""Rows shorter than half of the longest share its forward only up to this part of the budget."""


class Job:
    """A request in the queue.

    Args:
        work: Its items.

    Attributes:
        arrived: When it came, by the monotonic clock.
        ready: Tokenized rows that wait, in order.
        results: The result of each item, once all of its rows are computed.
        tokens: The number of tokens of all rows so far.
        error: Why it has no result.
        queued: Whether the queue has taken it.
        over: Whether it has its results or an error, or was cancelled.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.arrived = time.monotonic()
        self.ready: deque[Row] = deque()
        self.results: list[Any] = [None] * work.count
        self.tokens = 0
        self.error: Exception | None = None
        self.queued = self.over = False
        self._tokenized = 0
        self._left = [0] * work.count
        self._found: dict[int, list[tuple[Row, Tensor]]] = {}
        self._items = work.count

    def wanted(self, share: int) -> tuple[int, int]:
        """Return the items ``(start, stop)`` to tokenize so that a share of rows is ready."""
        stop = min(self.work.count, self._tokenized + max(0, share - len(self.ready)))
        return self._tokenized, stop

    def tokenized(self, rows: Sequence[Row], stop: int) -> None:
        """Take the rows of the next items, up to item ``stop``."""
        for row in rows:
            self._left[row.item] += 1
            self.tokens += len(row.ids)
        self.ready.extend(rows)
        self._tokenized = stop

    def computed(self, row: Row, values: Tensor) -> None:
        """Take the result of a row."""
        found = self._found.setdefault(row.item, [])
        found.append((row, values))
        self._left[row.item] -= 1
        if not self._left[row.item]:
            self.results[row.item] = self.work.finish(row.item, self._found.pop(row.item))
            self._items -= 1

    @property
    def complete(self) -> bool:
        """Whether every item has its result."""
        return self._items == 0

    def fail(self, error: Exception) -> None:
        """End the request without results."""
        self.error = error
        self.ready.clear()


Waiting = tuple[Job, Row]


def window(jobs: Sequence[Job], size: int = WINDOW) -> list[Waiting]:
    """Return waiting rows of all requests in turn: the first of each, then the second of each, ….

    So a small request does not wait for all of a large one.

    Args:
        jobs: The requests, the oldest first.
        size: The largest number of rows.
    """
    found: list[Waiting] = []
    depth = 0
    left = [job for job in jobs if job.ready]
    while left and len(found) < size:
        found += [(job, job.ready[depth]) for job in left]
        depth += 1
        left = [job for job in left if len(job.ready) > depth]
    return found[:size]


def choose(rows: Sequence[Waiting], batch_tokens: int) -> list[Waiting]:
    """Choose rows for one forward: the first, and others of about its length.

    Args:
        rows: Waiting rows, the one that must run first.
        batch_tokens: Most padded tokens of the forward. The first row runs whatever its length.
    """
    if not rows:
        return []
    first = rows[0]
    chosen, longest, shortest = [first], len(first[1].ids), len(first[1].ids)
    others = sorted(rows[1:], key=lambda one: abs(len(one[1].ids) - longest))
    anchor = longest
    for one in others:
        size = len(one[1].ids)
        top, low = max(longest, size), min(shortest, size)
        padded = top * (len(chosen) + 1)
        if padded > batch_tokens:
            if size <= anchor:
                break  # all others are further away, and longer ones cost more still
            continue
        if 2 * low < top and padded > batch_tokens // SMALL:
            continue
        chosen.append(one)
        longest, shortest = top, low
    return chosen
