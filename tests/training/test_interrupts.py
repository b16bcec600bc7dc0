from __future__ import annotations

import os
import signal
import threading

import pytest

from xadapt.training.interrupts import interrupts


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


def test_in_another_thread_it_does_nothing():
    seen = []

    def work():
        with interrupts() as caught:
            seen.append(caught)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [[]]
