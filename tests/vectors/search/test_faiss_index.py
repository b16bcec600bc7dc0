from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from search_twin import best, crowd, quick_cosines, signs

from xadapt.core.errors import UserError
from xadapt.vectors import matching
from xadapt.vectors.search.faiss_index import FaissIndex
from xadapt.vectors.search.nearest import both_ways, one_way
from xadapt.vectors.search.sweep import Options


def same(found, expected):
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.scores.dtype == np.float64 and found.indices.dtype == np.int64


def sets(kind, n=90, m=700, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.normal(size=(n, 24)), rng.normal(size=(m, 24))
    if kind == "signs":
        return signs(rng, n), signs(rng, m)
    both = crowd(rng, n + m, noise={"near": 1e-3, "nearest": 1e-7}[kind])
    return both[:n], both[n:]


def recall(found, exact):
    shared = [len(set(a) & set(b)) for a, b in zip(found.indices, exact.indices, strict=True)]
    return sum(shared) / exact.indices.size


@pytest.mark.parametrize("kind", ["random", "signs", "near", "nearest"])
@pytest.mark.parametrize("csls", [0, 5])
def test_a_flat_index_finds_what_the_tiles_find_ties_included(kind, csls):
    pytest.importorskip("faiss")
    left, right = sets(kind, 60, 200)
    for k, memory in ((1, 2**30), (10, 2**14)):
        exact = both_ways(left, right, k, csls=csls)
        options = Options(memory=memory)
        found = both_ways(left, right, k, csls=csls, options=options, index="faiss")
        for way, expected in zip(found, exact, strict=True):
            same(way, expected)
        same(matching.nearest(left, right, k, csls=csls, index="faiss:Flat"), exact[0])


def test_a_flat_index_gives_the_slow_twin_by_hand():
    pytest.importorskip("faiss")
    left, right = sets("near", 20, 60)
    indices, scores = best(quick_cosines(left, right), 3)
    found = one_way(left, right, 3, index="faiss")
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.scores, scores)


def test_a_flat_index_asks_the_tiles_only_where_ties_crowd(monkeypatch):
    pytest.importorskip("faiss")
    from xadapt.vectors.search import faiss_index

    asked = []
    true = faiss_index.search_rows

    def counting(pair, rows, k):
        asked.append(len(rows))
        return true(pair, rows, k)

    monkeypatch.setattr(faiss_index, "search_rows", counting)
    one_way(*sets("random"), 5, index="faiss")
    one_way(*sets("random"), 5, csls=5, index="faiss")
    assert not asked
    one_way(*sets("signs"), 5, index="faiss")  # some hundred of the pool are alike
    assert sum(asked) == 90


def test_an_ivf_that_looks_through_all_lists_misses_nothing_and_one_list_misses_some():
    pytest.importorskip("faiss")
    left, right = sets("random")
    for csls in (0, 5):
        exact = one_way(left, right, 10, csls=csls)
        same(one_way(left, right, 10, csls=csls, index="faiss:IVF16,Flat:nprobe=16"), exact)
    few = one_way(left, right, 10, index="faiss:IVF16,Flat")
    some = one_way(left, right, 10, index="faiss:IVF16,Flat:nprobe=6")
    exact = one_way(left, right, 10)
    assert recall(few, exact) < recall(some, exact) < 1 and recall(exact, exact) == 1
    # What is found has its exact score, best first.
    cosines = quick_cosines(left, right)
    np.testing.assert_array_equal(few.scores, np.take_along_axis(cosines, few.indices, axis=1))
    assert (np.diff(few.scores, axis=1) <= 0).all()


def test_rows_for_which_too_few_were_come_upon_are_searched_whole():
    pytest.importorskip("faiss")
    left, right = sets("random", 20, 60)
    found = one_way(left, right, 50, index="faiss:IVF16,Flat")  # a list holds four or so
    same(found, one_way(left, right, 50))


@pytest.mark.parametrize("index", ["faiss:HNSW32", "faiss:SQ8", "faiss:PCA20,Flat"])
def test_graphs_and_compressed_vectors_find_most(index):
    pytest.importorskip("faiss")
    left, right = sets("random")
    assert recall(one_way(left, right, 10, index=index), one_way(left, right, 10)) > 0.9


def test_margins_come_from_its_neighbours():
    pytest.importorskip("faiss")
    left, right = sets("near", 80, 80)
    ours, theirs = both_ways(left, right, 4), both_ways(left, right, 4, index="faiss")
    for margin in matching.MARGINS:
        same(matching.margin_best(*theirs, margin), matching.margin_best(*ours, margin))


def test_tensors_small_pools_zeros_and_any_length():
    pytest.importorskip("faiss")
    left, right = sets("random", 5, 7)
    right[3] = 0
    found = one_way(torch.from_numpy(left * 8), torch.from_numpy(right), 100, index="faiss")
    same(found, one_way(left, right, 100))
    assert found.indices.shape == (5, 7)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("faiss:IVF10", "could not parse index string IVF10"),
        ("faiss:Flatt", "could not parse index string Flatt"),
        ("faiss:IVF16,Flat:nprob=4", "could not set parameter nprob"),
        ("faiss:IVF16,Flat:nprobe=x", "could not interpret parameters nprobe=x"),
        ("faiss:IVF16,Flat:nprobe=0", "nprobe"),
        ("faiss:IVF1000,Flat", "Number of training points (700) should be at least as large"),
        ("faiss:PQ7", "should be a multiple of the number of subquantizers"),
        ("faiss:IDMap,Flat", "use add_with_ids"),
    ],
)
def test_what_faiss_refuses_is_told_in_one_line(index, said):
    pytest.importorskip("faiss")
    with pytest.raises(UserError) as caught:
        one_way(*sets("random"), 3, index=index)
    line = str(caught.value)
    assert said in line and repr(index) in line and ".cpp" not in line and "\n" not in line


@pytest.mark.parametrize("text", ["", "flat", "faiss:", "faiss:Flat:", "faiss:Flat:a=1:b", "Faiss"])
def test_other_names_are_refused_before_anything_is_read(text):
    with pytest.raises(UserError, match=r"unknown index .* Use faiss, or faiss:FACTORY"):
        one_way(*sets("random", 3, 3), 1, index=text)


def test_without_faiss_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)  # as Python marks what can't be imported
    with pytest.raises(UserError, match=r"pip install 'xadapt\[faiss\]'"):
        one_way(*sets("random", 3, 3), 1, index="faiss")


def test_text_is_read_and_told_again():
    assert FaissIndex.parse("faiss") == FaissIndex("Flat", "")
    one = FaissIndex.parse("faiss:IVF4,PQ8x4fs:nprobe=2,ht=3")
    assert one == FaissIndex("IVF4,PQ8x4fs", "nprobe=2,ht=3")
    assert str(one) == "faiss:IVF4,PQ8x4fs:nprobe=2,ht=3"
