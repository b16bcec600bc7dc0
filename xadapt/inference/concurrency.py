"""Limit how many threads compute at once.

Threads beyond the number of cores make each other slower: they take turns at Python's lock and
push each other's data out of the processor's caches.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

_HELD = threading.local()


@contextmanager
def compute_slot() -> Iterator[None]:
    """Compute inside the block when fewer threads do so than there are cores for.

    Each thread that computes is counted with torch's threads. A thread that is inside such a
    block already goes on at once.
    """
    if getattr(_HELD, "slot", False):
        yield
        return
    with _slots():
        _HELD.slot = True
        try:
            yield
        finally:
            _HELD.slot = False


@cache
def _slots() -> threading.BoundedSemaphore:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return threading.BoundedSemaphore(max(1, cores // torch.get_num_threads()))


if hasattr(os, "register_at_fork"):  # a child has none of the threads that hold slots
    os.register_at_fork(after_in_child=_slots.cache_clear)
