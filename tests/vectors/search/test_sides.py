from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from search_twin import crowd
from search_twin import units as slow_units

from xadapt.core.errors import UserError
from xadapt.vectors.search.sides import GRID, ROWS, Side, spans


def test_units_by_hand():
    side = Side.of(np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -1e-30]]), "pool")
    np.testing.assert_allclose(side.units(0, 3), [[0.6, 0.8], [0, 0], [0, -1]], atol=2e-8)
    assert (len(side), side.dim) == (3, 2)


def test_units_lie_on_the_grid_and_equal_the_definition():
    vectors = crowd(np.random.default_rng(0), ROWS + 50)
    units = Side.of(vectors, "pool").units(0, len(vectors))
    scaled = units.double() * GRID
    assert (scaled == scaled.round()).all()
    np.testing.assert_array_equal(units.numpy(), slow_units(vectors))
    assert not torch.equal(units, torch.nn.functional.normalize(torch.from_numpy(vectors)))


def test_float64_dot_products_do_not_hang_on_their_order():
    rng = np.random.default_rng(1)
    side = Side.of(rng.normal(size=(40, 384)), "pool")
    units = side.units(0, 40).double()
    exact = units @ units.T
    for seed in range(3):
        order = torch.from_numpy(np.random.default_rng(seed).permutation(384))
        shuffled = units[:, order]
        assert torch.equal(
            torch.stack([(shuffled * row).cumsum(1)[:, -1] for row in shuffled]), exact
        )
    rough = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(40, 384))), dim=1)
    sums = torch.stack([(rough * row).cumsum(1)[:, -1] for row in rough])
    assert not torch.equal(sums, rough @ rough.T), "off the grid the order shows"


def test_parts_equal_the_whole_wherever_they_are_cut():
    vectors = np.random.default_rng(2).normal(size=(ROWS + 30, 5))
    for given in (vectors, torch.from_numpy(vectors)):
        side = Side.of(given, "pool")
        whole = side.units(0, len(side))
        assert torch.equal(side.units(7, ROWS + 20), whole[7 : ROWS + 20])
        positions = torch.tensor([ROWS + 1, 3, 3, 0])
        assert torch.equal(side.at(positions), whole[positions])


def test_units_of_units_are_the_same():
    units = Side.of(crowd(np.random.default_rng(3), 50), "pool").units(0, 50)
    assert torch.equal(Side.of_units(units).units(0, 50), units)


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e20, 1e37])
def test_length_does_not_matter(scale):
    vectors = np.random.default_rng(4).normal(size=(9, 6)).astype(np.float32)
    plain, scaled = (Side.of(v, "pool").units(0, 9) for v in (vectors, vectors * np.float32(scale)))
    np.testing.assert_allclose(plain, scaled, atol=1e-6)


def test_lost_is_the_length_of_what_rounding_takes():
    side = Side.of(np.random.default_rng(5).normal(size=(ROWS + 9, 20)), "pool")
    units = side.units(0, len(side))
    lost = side.lost(torch.bfloat16)
    for row in (0, 5, ROWS + 8):
        gone = [
            a - b for a, b in zip(units[row].tolist(), units[row].bfloat16().tolist(), strict=True)
        ]
        exact = math.sqrt(sum(value * value for value in gone))
        assert exact <= lost[row] <= exact * 1.001
    assert side.lost(torch.float32).abs().max() == 0


class Watched(np.ndarray):
    """An array that remembers how many rows were read at a time."""

    most = 0

    def __getitem__(self, item):
        found = super().__getitem__(item)
        Watched.most = max(Watched.most, len(found))
        return found


def test_no_more_is_read_at_a_time_than_asked():
    vectors = np.ones((3 * ROWS, 2), dtype=np.float32).view(Watched)
    Watched.most = 0
    Side.of(vectors, "pool").units(5, 2 * ROWS)
    assert 0 < Watched.most <= ROWS


def test_a_read_only_map_stays_as_it_is(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 3), 5.0, dtype=np.float32))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert torch.allclose(Side.of(mapped, "pool").units(1, 3).norm(dim=1), torch.ones(2))
    assert (np.load(tmp_path / "a.npy") == 5).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_numbers_and_shapes_are_refused(value):
    bad = np.ones((ROWS + 3, 2))
    bad[ROWS + 1, 1] = value
    with pytest.raises(UserError, match=rf"1 of {ROWS + 3} vectors of the pool .* {ROWS + 1}"):
        Side.of(bad, "pool")
    for shape in ((0, 3), (3,), (2, 3, 4)):
        with pytest.raises(UserError, match=r"\(n, dim\)"):
            Side.of(np.ones(shape), "queries")


def test_spans():
    assert list(spans(7, 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(spans(0, 3)) == []
