from __future__ import annotations

import os
import signal
import threading

import pytest

from xadapt.train.interrupts import interrupts


def test_signals_are_collected_inside_and_act_outside():
    before = signal.getsignal(signal.SIGINT)
    with interrupts() as caught:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert caught == [signal.SIGINT, signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is before
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
