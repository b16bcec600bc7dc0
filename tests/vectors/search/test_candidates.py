from __future__ import annotations

import numpy as np
import pytest
import torch

from xadapt.vectors.search.candidates import Candidates


def feed(found, table, size, members):
    """A table in tiles of ``size`` columns, whose groups have so many members."""
    for start in range(0, table.shape[1], size):
        tile = table[:, start : start + size]
        groups = tile.reshape(len(tile), members, -1)
        found.feed(0, groups, groups.amax(dim=1), start)
    found.finish()


def kept(found, row):
    chosen = torch.isfinite(found.scores[row])
    pairs = zip(
        found.indices[row][chosen].tolist(), found.scores[row][chosen].tolist(), strict=True
    )
    return dict(pairs)


@pytest.mark.parametrize("members", [1, 2, 4, 8])
@pytest.mark.parametrize(("error", "relative"), [(0.0, 0.0), (0.01, 0.0), (0.005, 2**-8)])
def test_exactly_what_could_be_among_the_best_is_kept(members, error, relative):
    rng = np.random.default_rng(members)
    table = torch.from_numpy(rng.normal(size=(30, 320)).astype(np.float32))
    found = Candidates(5, torch.full((30,), error), relative)
    feed(found, table, 64, members)
    assert not found.hard.any()
    for row, scores in enumerate(table.tolist()):
        lowest = sorted(scores)[-5]
        lowest -= error + relative * abs(lowest)
        able = {j: s for j, s in enumerate(scores) if s + error + relative * abs(s) >= lowest}
        assert kept(found, row) == able


def test_rows_are_found_at_their_place():
    table = torch.eye(6)
    found = Candidates(1, torch.zeros(10))
    groups = table.reshape(6, 2, 3)
    found.feed(4, groups, groups.amax(dim=1), 100)
    found.finish()
    assert [kept(found, row) for row in range(4, 10)] == [{100 + j: 1.0} for j in range(6)]
    assert kept(found, 0) == {}


def test_rows_with_too_many_equals_are_hard_and_others_are_not():
    table = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32))
    table[1] = 0.5
    found = Candidates(4, torch.full((3,), 1e-5))
    feed(found, table, 64, 8)
    assert found.hard.tolist() == [False, True, False]
    assert kept(found, 1) == {}
    assert set(kept(found, 0)) == set(table[0].topk(4).indices.tolist())


def test_a_row_that_only_rises_stays_within_its_room():
    table = torch.arange(4096.0).reshape(1, -1)
    found = Candidates(3, torch.full((1,), 0.25))
    feed(found, table, 128, 1)
    assert sorted(kept(found, 0)) == [4093, 4094, 4095]


def test_padding_is_never_a_candidate():
    table = torch.full((2, 64), -torch.inf)
    table[:, :2] = torch.tensor([[-1.0, -2.0], [3.0, 3.0]])
    found = Candidates(2, torch.zeros(2))
    feed(found, table, 64, 1)
    assert [set(kept(found, row)) for row in (0, 1)] == [{0, 1}, {0, 1}]
