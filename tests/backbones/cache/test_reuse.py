from __future__ import annotations

from collections.abc import Sequence

import pytest
from torch import Tensor

from xadapt.backbones.cache.reuse import Key, Reuse


class At:
    """States that nobody asks for."""

    def __init__(self, start: int) -> None:
        self.start = start

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        raise AssertionError


@pytest.mark.parametrize(
    ("acting", "stop", "may"),
    [
        ((), None, True),
        ((2,), None, True),
        ((3, 2), None, True),
        ((3, 1), None, False),
        ((-1,), None, False),
        ((), 3, True),
        ((), 2, False),
        ((), 1, False),
    ],
)
def test_states_are_begun_at_where_nothing_acts_below(
    acting: tuple[int, ...], stop: int | None, may: bool
) -> None:
    reuse, states = Reuse(), At(2)
    blocks = [reuse.touching(layer) for layer in acting]
    for block in blocks:
        block.__enter__()
    assert reuse.up_to(stop) is None and reuse.lowest(9) == min(acting, default=9)
    with reuse.using(states):
        assert (reuse.up_to(stop) is states) == may
    assert reuse.up_to(stop) is None
    for block in blocks:
        block.__exit__(None, None, None)
    with reuse.using(states):
        assert reuse.up_to(None) is states


def test_blocks_end_with_an_error_and_give_back_what_was_there() -> None:
    reuse, outer, inner = Reuse(), At(1), At(3)
    with reuse.using(outer):
        with pytest.raises(ZeroDivisionError), reuse.using(inner), reuse.touching(0):
            raise ZeroDivisionError
        assert reuse.up_to(None) is outer
    assert reuse.kept is None
