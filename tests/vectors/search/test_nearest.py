from __future__ import annotations

import numpy as np
import pytest
import torch
from search_twin import best, cosines, crowd, quick_cosines, signs, worst

from xadapt.core.errors import UserError
from xadapt.vectors.matching import cosine, top
from xadapt.vectors.search.exact import InexactError, Pair
from xadapt.vectors.search.nearest import both_ways, one_way, search
from xadapt.vectors.search.sides import Side
from xadapt.vectors.search.sweep import Options, sweep

WAYS = [Options(half=half, memory=memory) for half in (False, True) for memory in (1, 2**17, 2**30)]


def same(found, expected):
    indices, scores = expected
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.scores, scores)


def sets(kind, n, m, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.normal(size=(n, 24)), rng.normal(size=(m, 24))
    if kind == "signs":
        return signs(rng, n), signs(rng, m)
    both = crowd(rng, n + m, noise={"near": 1e-3, "nearer": 1e-5, "nearest": 1e-7}[kind])
    return both[:n], both[n:]


def test_the_quick_twin_is_exact():
    for kind in ("random", "near", "nearest"):
        left, right = sets(kind, 12, 15)
        np.testing.assert_array_equal(quick_cosines(left, right), cosines(left, right))


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("kind", ["random", "signs", "near", "nearer", "nearest"])
def test_equals_the_slow_twin_ties_included(kind, options):
    left, right = sets(kind, 150, 333)
    matrix = quick_cosines(left, right)
    for k in (1, 10):
        forward, backward = both_ways(left, right, k, options=options)
        same(forward, best(matrix, k))
        same(backward, best(matrix.T, k))
        same(one_way(left, right, k, options=options), best(matrix, k))


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (65, 1), (3, 5), (64, 128), (129, 65)])
@pytest.mark.parametrize("half", [False, True])
def test_any_shape_and_k_beyond_the_pool(shape, half):
    left, right = sets("near", *shape)
    matrix = quick_cosines(left, right)
    for k in (1, 4, 1000):
        forward, backward = both_ways(left, right, k, options=Options(half=half, memory=1))
        same(forward, best(matrix, k))
        same(backward, best(matrix.T, k))


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_equals_top_of_whole_rows_where_float32_is_exact(options):
    left, right = sets("signs", 200, 500)
    for k in (1, 7, 60):
        whole = top(cosine(left, right), k)
        same(one_way(left, right, k, options=options), (whole.indices, whole.scores))


def test_top_of_random_sets_has_the_same_neighbours():
    left, right = sets("random", 200, 700)
    whole, tiled = top(cosine(left, right), 10), one_way(left, right, 10)
    np.testing.assert_array_equal(whole.indices, tiled.indices)
    np.testing.assert_allclose(whole.scores, tiled.scores, atol=2e-7)


def test_bfloat16_alone_would_choose_wrongly():
    left, right = sets("near", 150, 333)
    exact = one_way(left, right, 10, options=Options(half=True)).indices
    rough = cosine(left, right)
    naive = (rough.queries.bfloat16() @ rough.pool.bfloat16().T).topk(10, dim=1).indices.numpy()
    shared = [len(set(a) & set(b)) for a, b in zip(exact.tolist(), naive.tolist(), strict=True)]
    assert np.mean(shared) < 6


def slow_csls(matrix, k):
    row = np.sort(matrix, axis=1)[:, ::-1][:, :k].astype(np.float64).mean(axis=1)
    column = np.sort(matrix, axis=0)[::-1][:k].astype(np.float64).mean(axis=0)
    return 2 * matrix - row[:, None] - column


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("kind", ["random", "signs", "near"])
def test_csls_equals_the_slow_twin(kind, options):
    left, right = sets(kind, 90, 140)
    corrected = slow_csls(quick_cosines(left, right).astype(np.float64), 4)
    forward, backward = both_ways(left, right, 3, csls=4, options=options)
    for found, table in ((forward, corrected), (backward, corrected.T)):
        np.testing.assert_allclose(found.scores, -np.sort(-table, axis=1)[:, :3], atol=4e-7)
        rows = np.arange(len(table))[:, None]
        np.testing.assert_allclose(table[rows, found.indices], found.scores, atol=4e-7)
    if kind == "random":
        assert (forward.indices == best(corrected, 3)[0]).all()
    same(one_way(left, right, 3, csls=4, options=options), (forward.indices, forward.scores))


def test_csls_does_not_hang_on_tiles_or_type():
    left, right = sets("near", 90, 140)
    first = both_ways(left, right, 5, csls=3)
    for options in WAYS:
        for one, other in zip(
            first, both_ways(left, right, 5, csls=3, options=options), strict=True
        ):
            same(one, (other.indices, other.scores))


def test_sets_on_disk(tmp_path):
    left, right = sets("near", 150, 333)
    for name, part in (("left", left), ("right", right)):
        np.save(tmp_path / f"{name}.npy", part)
    there = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("left", "right")]
    matrix = quick_cosines(left, right)
    for half in (False, True):
        forward, backward = both_ways(*there, 5, options=Options(half=half, memory=2**16))
        same(forward, best(matrix, 5))
        same(backward, best(matrix.T, 5))


def test_tensors_and_half_precision_sets():
    left, right = sets("near", 30, 50)
    halved = torch.from_numpy(left).bfloat16(), torch.from_numpy(right).half()
    matrix = quick_cosines(*(part.float().numpy() for part in halved))
    same(one_way(*halved, 5), best(matrix, 5))


def test_progress_is_told_and_can_end_the_search():
    left, right = sets("random", 200, 300)
    seen = []
    options = Options(memory=1, progress=lambda done, total: seen.append((done, total)))
    both_ways(left, right, 3, options=options)
    total = seen[0][1]
    assert total > 4
    assert seen == [(number, total) for number in range(1, total + 1)]

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        both_ways(left, right, 3, options=Options(memory=1, progress=stop))


def test_faults_are_told():
    good = np.ones((3, 2))
    with pytest.raises(UserError, match="2 and 3 numbers"):
        one_way(good, np.ones((3, 3)), 1)
    for k, csls, fault in ((0, 0, "k must"), (-1, 4, "k must"), (1, -2, "csls must .* not -2")):
        with pytest.raises(UserError, match=fault):
            both_ways(good, good, k, csls=csls)
    bad = np.ones((3, 2))
    bad[1, 0] = np.nan
    with pytest.raises(UserError, match=r"1 of 3 vectors of the pool .* position 1"):
        one_way(good, bad, 1)


class Boasting(Side):
    """A side that claims to lose nothing by rounding."""

    def lost(self, dtype):
        return super().lost(torch.float32)


def test_a_broken_bound_in_half_precision_is_noticed_and_done_again():
    left, right = worst(64, n=50, seed=1), worst(64, n=80, seed=2)
    pair = Pair(Boasting.of(left, "queries"), Boasting.of(right, "pool"))
    options = Options(half=True, memory=1)  # with more, the sides are held and measured anew
    with pytest.raises(InexactError):
        sweep(pair, 5, False, options)
    found, _ = search(pair, 5, False, options=options)
    same(found, best(quick_cosines(left, right), 5))
