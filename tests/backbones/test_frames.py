from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from xadapt.backbones.frames import Bare, Frame, WeightsGuard, current, forwarding, framed, guard_of
from xadapt.core.errors import UserError

MASK = torch.ones(2, 3)


class Low:
    """Stands for an update in the weights."""

    def __init__(self, lowest: int) -> None:
        self.lowest = lowest


class Expecting(Bare):
    """A forward that expects an update."""

    def __init__(self, merged: Low) -> None:
        super().__init__()
        object.__setattr__(self, "merged", merged)


def test_a_model_has_one_guard_and_another_model_another() -> None:
    one, other = nn.Identity(), nn.Identity()
    assert guard_of(one) is guard_of(one) is not guard_of(other)


def test_frames_nest_end_with_an_error_and_stay_in_their_thread() -> None:
    guard, other = WeightsGuard(), WeightsGuard()
    outer, inner = Frame(guard, "outer", MASK), Frame(guard, "inner", MASK)
    seen: list[Frame | None] = []
    with framed(outer):
        with pytest.raises(ZeroDivisionError), framed(inner):
            assert current(guard) is inner and current(other) is None
            raise ZeroDivisionError
        assert current(guard) is outer
        with framed(None):
            assert current(guard) is None
        thread = threading.Thread(target=lambda: seen.append(current(guard)))
        thread.start()
        thread.join()
        with forwarding(guard, None, MASK, 1):  # a bare forward inside another sees nothing
            assert current(guard) is None
    assert current(guard) is None and seen == [None]


def test_forwards_end_with_an_error_so_that_an_exchange_can_begin() -> None:
    guard = WeightsGuard()
    with pytest.raises(ZeroDivisionError), forwarding(guard, None, MASK, 1):
        with forwarding(guard, None, MASK, 1):
            pass
        raise ZeroDivisionError
    with guard.exchange():
        guard.merged = Low(2)
    assert guard._running == {}


@pytest.mark.parametrize(
    ("inside", "expected", "stop", "said"),
    [
        (None, None, 4, ""),
        (Low(2), None, 2, ""),
        (Low(2), None, 3, "a module is merged"),
        (None, Low(2), 2, ""),
        (None, Low(2), 3, "no longer merged"),
        (Low(3), Low(1), 1, ""),
        (Low(3), Low(1), 2, "a module is merged"),
    ],
)
def test_a_forward_needs_the_weights_that_it_expects(
    inside: Low | None, expected: Low | None, stop: int, said: str
) -> None:
    guard = WeightsGuard()
    guard.merged = inside
    activation = None if expected is None else Expecting(expected)
    if not said:
        with forwarding(guard, activation, MASK, stop):
            pass
    else:
        with pytest.raises(UserError, match=said), forwarding(guard, activation, MASK, stop):
            pass
    assert guard._running == {}


def test_its_own_update_is_allowed_everywhere() -> None:
    guard, own = WeightsGuard(), Low(0)
    guard.merged = own
    with forwarding(guard, Expecting(own), MASK, 4):
        pass


def test_a_nested_forward_does_not_wait_for_an_exchange_that_waits_for_it() -> None:
    guard, exchanged = WeightsGuard(), threading.Event()

    def exchange() -> None:
        with guard.exchange():
            exchanged.set()

    thread = threading.Thread(target=exchange)
    with forwarding(guard, None, MASK, 1):
        thread.start()
        while not guard._exchanges:
            pass
        with forwarding(guard, None, MASK, 1):
            assert not exchanged.is_set()
    thread.join(30)
    assert exchanged.is_set() and not guard._exchanges
