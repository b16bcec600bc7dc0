from __future__ import annotations

import os
import signal
import threading

import pytest

from xadapt.core.files import atomic_file
from xadapt.training.interrupts import Terminated, interruption, interrupts, sigterm_raises


@pytest.fixture
def handler():
    """Python's own handler, which a job in the background starts without."""
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, found)


def test_signals_are_collected_inside_and_act_outside(handler):
    with interrupts() as caught:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert caught == [signal.SIGINT, signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_what_came_is_what_is_raised():
    assert type(interruption([signal.SIGINT])) is type(interruption([])) is KeyboardInterrupt
    found = interruption([signal.SIGINT, signal.SIGTERM])
    assert isinstance(found, Terminated) and found.code == 143


def test_sigterm_closes_what_is_open_and_an_ignored_one_stays_ignored(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), sigterm_raises(), atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("went on")
    assert signal.getsignal(signal.SIGTERM) == before and list(tmp_path.iterdir()) == []
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with sigterm_raises():
            os.kill(os.getpid(), signal.SIGTERM)
        with sigterm_raises(), interrupts() as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_it_does_nothing():
    seen = []

    def work():
        with sigterm_raises(), interrupts() as caught:
            seen.append(caught)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [[]]
