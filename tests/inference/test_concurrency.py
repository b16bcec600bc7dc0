from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from xadapt.inference import concurrency
from xadapt.inference.concurrency import compute_slot


def test_no_more_threads_compute_than_there_are_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    two = threading.BoundedSemaphore(2)
    monkeypatch.setattr(concurrency, "_slots", lambda: two)
    both, lock, inside, most = threading.Barrier(2), threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with compute_slot(), compute_slot():  # again in the same thread
            with lock:
                inside += 1
                most = max(most, inside)
            both.wait(20)  # two are inside at once, or this times out
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert most == 2


def test_a_slot_is_given_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    one = threading.BoundedSemaphore(1)
    monkeypatch.setattr(concurrency, "_slots", lambda: one)
    with pytest.raises(KeyError), compute_slot():
        raise KeyError
    assert one.acquire(blocking=False)


def test_a_forked_child_does_not_wait_for_threads_it_does_not_have() -> None:
    real = concurrency._slots()
    held = 0
    while real.acquire(blocking=False):
        held += 1
    child = os.fork()
    if not child:
        signal.alarm(20)
        with compute_slot():
            os._exit(0)
    for _ in range(held):
        real.release()
    assert held > 0 and os.waitpid(child, 0)[1] == 0
