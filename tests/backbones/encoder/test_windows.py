from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch

from xadapt.backbones.encoder.windows import (
    bounds,
    combined,
    most_context,
    passes,
    require_windows,
)
from xadapt.core.errors import UserError


@pytest.mark.parametrize(
    ("sizes", "room", "overlap", "found"),
    [
        ([], 4, 1, [(0, 0)]),
        ([1] * 4, 4, 1, [(0, 4)]),
        ([1] * 10, 4, 1, [(0, 4), (3, 7), (6, 10)]),
        ([1] * 11, 4, 1, [(0, 4), (3, 7), (6, 10), (7, 11)]),  # the last window is full too
        ([1] * 6, 4, 0, [(0, 4), (2, 6)]),
        ([1] * 3, 1, 0, [(0, 1), (1, 2), (2, 3)]),
        ([2, 2, 2, 2], 4, 2, [(0, 2), (1, 3), (2, 4)]),
        ([3, 1, 9, 1, 1], 4, 2, [(0, 2), (2, 3), (3, 5)]),  # a unit larger than a window
        ([9], 4, 2, [(0, 1)]),
        ([0, 2, 0, 2, 2, 0], 4, 2, [(0, 4), (2, 6)]),
    ],
)
def test_bounds_by_hand(sizes, room, overlap, found):
    assert bounds(sizes, room, overlap) == found


def test_windows_cover_every_unit_advance_and_fit():
    rng = random.Random(0)
    for _ in range(500):
        sizes = [rng.choice((0, 1, 1, 2, 3, 12)) for _ in range(rng.randrange(1, 40))]
        room = rng.randrange(1, 11)
        overlap = rng.randrange(room)
        found = bounds(sizes, room, overlap)
        assert found[0][0] == 0 and found[-1][1] == len(sizes)
        assert all(stop - start == 1 or sum(sizes[start:stop]) <= room for start, stop in found)
        for (start, stop), (after, end) in pairwise(found):
            assert start < after <= stop < end
        for start, stop in found[1:]:  # each window is as full as its units allow
            before = sum(sizes[start - 1 : stop])
            assert before > min(room, overlap) or start == 0
        chosen = most_context(sizes, found)
        for unit, number in enumerate(chosen):
            context = [
                min(sum(sizes[a:unit]), sum(sizes[unit + 1 : b])) if a <= unit < b else -1
                for a, b in found
            ]
            assert number == context.index(max(context))


def test_a_word_belongs_to_the_window_with_most_context_on_its_poorer_side():
    windows = [(0, 6), (3, 9)]
    # word 4 has 4 to the left and 1 to the right in the first window, 1 and 4 in the second: a tie
    assert most_context([1] * 9, windows) == [0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_first_windows_come_first():
    assert passes([0, 0, 1, 2, 2, 2]) == [[0, 2, 3], [1, 4, 5]]
    assert passes([0, 1]) == [[0, 1]] and passes([]) == []


def test_vectors_are_combined_by_hand():
    vectors = torch.tensor([[1.0, 0.0], [3.0, -2.0], [0.1, -0.0]])
    owners = [0, 0, 1]
    assert combined(vectors, owners, 2, "first", False).tolist() == [[1, 0], [vectors[2, 0], 0]]
    assert combined(vectors, owners, 2, "mean", False)[0].tolist() == [2, -1]
    assert combined(vectors, owners, 2, "max", False)[0].tolist() == [3, 0]
    unit = combined(vectors, owners, 2, "mean", True)
    assert torch.allclose(unit[0], torch.tensor([2.0, -1.0]) / 5**0.5)
    assert torch.equal(unit[1], vectors[2]) and torch.signbit(unit[1, 1])  # not even its zero


def test_another_name_is_refused():
    with pytest.raises(UserError, match="did you mean 'mean'"):
        require_windows("meen")
