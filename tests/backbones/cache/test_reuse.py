from __future__ import annotations

from collections.abc import Sequence

import pytest
from torch import Tensor

from xadapt.backbones.cache.reuse import Key
from xadapt.backbones.frames import Bare, usable


class At:
    """States that nobody asks for."""

    def __init__(self, start: int) -> None:
        self.start = start

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        raise AssertionError


@pytest.mark.parametrize(
    ("lowest", "stop", "may"),
    [
        (None, None, True),
        (2, None, True),
        (3, None, True),
        (1, None, False),
        (-1, None, False),
        (None, 3, True),
        (None, 2, False),
        (None, 1, False),
    ],
)
def test_states_are_begun_at_where_nothing_acts_below(
    lowest: int | None, stop: int | None, may: bool
) -> None:
    states = At(2)
    assert (usable(states, stop, lowest) is states) == may
    assert usable(None, stop, lowest) is None
    if lowest is None:
        assert (Bare(states).begins_at(stop) is states) == may and Bare().begins_at(stop) is None
