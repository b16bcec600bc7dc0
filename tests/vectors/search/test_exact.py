from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from search_twin import best, crowd, quick_cosines, signs

from xadapt.vectors.search.candidates import Candidates
from xadapt.vectors.search.exact import (
    InexactError,
    Neighbours,
    Pair,
    merge_best,
    search_rows,
    settle,
)
from xadapt.vectors.search.sides import Side


def pair(left, right):
    return Pair(Side.of(left, "queries"), Side.of(right, "pool"))


@pytest.mark.parametrize("made", [crowd, signs])
def test_rows_searched_exactly_equal_the_slow_twin(made):
    rng = np.random.default_rng(0)
    both = made(rng, 2600)
    left, right = both[:40], both[40:]
    rows = torch.tensor([3, 39, 0])
    indices, scores = best(quick_cosines(left[rows], right), 8)
    found = search_rows(pair(left, right), rows, 8)
    np.testing.assert_array_equal(found[1], indices)
    np.testing.assert_array_equal(found[0], scores)


def fed(sides, k, wrong=0.0):
    """Candidates of the whole product, one of whose scores is wrong."""
    product = sides.asking.units(0, len(sides.asking)) @ sides.asked.units(0, len(sides.asked)).T
    best_of_first = int(product[0].argmax())
    product[0, best_of_first] += wrong
    found = Candidates(k, torch.full((len(product),), 1e-4))
    found.feed(0, product[:, None], product, 0)
    return found


def test_a_score_outside_the_bound_is_noticed():
    rng = np.random.default_rng(1)
    sides = pair(rng.normal(size=(5, 9)), rng.normal(size=(40, 9)))
    settle(sides, 0, fed(sides, 3, wrong=0.9e-4))
    with pytest.raises(InexactError):
        settle(sides, 0, fed(sides, 3, wrong=1.2e-4))


def test_easy_and_hard_rows_stand_in_their_order():
    rng = np.random.default_rng(2)
    right = rng.normal(size=(60, 9)).astype(np.float32)
    right[10:50] = right[10]
    left = np.stack([right[0], right[10], right[59]])
    found = fed(sides := pair(left, right), 2)
    assert found.hard.tolist() == [False, True, False]
    scores, indices = settle(sides, 0, found)
    expected = best(quick_cosines(left, right), 2)
    np.testing.assert_array_equal(indices, expected[0])
    np.testing.assert_array_equal(scores, expected[1])
    assert indices[1].tolist() == [10, 11]


def test_merging_keeps_the_first_of_equals():
    one = torch.tensor([[3.0, 1.0]]), torch.tensor([[4, 0]])
    two = torch.tensor([[3.0, 2.0]]), torch.tensor([[7, 9]])
    scores, indices = merge_best([one, two], 3)
    assert (scores.tolist(), indices.tolist()) == ([[3, 3, 2]], [[4, 7, 9]])


def test_neighbours_of_parts():
    part = torch.tensor([[0.5]]), torch.tensor([[2]])
    found = Neighbours.of([part, part])
    assert found.scores.tolist() == [[0.5], [0.5]]
    assert (found.scores.dtype, found.indices.dtype) == (np.float64, np.int64)


def test_neighbours_are_a_tuple_that_shows_itself() -> None:
    scores = np.array([[0.9, 0.5], [0.8, -np.inf]])
    found = Neighbours(scores, np.array([[3, 1], [0, 2]]))
    assert found == tuple(found) and found[0] is scores and found._fields == ("scores", "indices")
    one, two = found
    assert one is found.scores and two is found.indices and pickle.loads(pickle.dumps(found))
    frame = found.to_pandas()
    assert list(frame["query"]) == [0, 0, 1, 1] and list(frame["rank"]) == [1, 2, 1, 2]
    assert list(frame["index"]) == [3, 1, 0, 2] and list(frame["score"]) == [0.9, 0.5, 0.8, -np.inf]
    assert "2 queries, the 2 nearest of each" in repr(found) and found._repr_html_()
    assert found.to_dict()["indices"] == [[3, 1], [0, 2]]
    axes = found.plot(Figure().subplots())
    assert sum(patch.get_height() for patch in axes.patches) == 2


def test_many_neighbours_are_not_made_into_text() -> None:
    count = 200_000
    found = Neighbours(np.zeros((count, 3)), np.zeros((count, 3), np.int64))
    assert "599,960 more rows" in repr(found) and len(repr(found)) < 10_000
    none = Neighbours(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    assert "0 queries" in repr(none) and len(none.to_pandas()) == 0
