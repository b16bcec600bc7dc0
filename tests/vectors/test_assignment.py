from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from xadapt.core.errors import UserError
from xadapt.vectors import assignment, matching
from xadapt.vectors.assignment import assign_all, assign_candidates


class Table:
    """A similarity that is a table."""

    def __init__(self, scores):
        self.scores = torch.tensor(scores, dtype=torch.float32)

    @property
    def shape(self):
        return tuple(self.scores.shape)

    def rows(self, start, stop):
        return self.scores[start:stop].clone()

    def swapped(self):
        return Table(self.scores.T.tolist())


def best_sum(scores):
    """The highest sum of a full assignment, by trying all of them."""
    n, m = scores.shape
    if n > m:
        return best_sum(scores.T)
    return max(sum(scores[i, j] for i, j in enumerate(way))
               for way in itertools.permutations(range(m), n))  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 6), (6, 3)])
def test_all_scores_give_the_best_sum(shape):
    scores = np.random.default_rng(sum(shape)).normal(size=shape)
    found = assign_all(Table(scores))
    assert found.whole and len(found.pairs) == min(shape)
    assert len(set(found.pairs[:, 0])) == len(set(found.pairs[:, 1])) == min(shape)
    assert found.scores.sum() == pytest.approx(best_sum(scores), abs=1e-5)
    assert found.scores == pytest.approx(scores[tuple(found.pairs.T)], abs=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (3, 6), (6, 3)])
def test_all_candidates_give_the_same_pairs_as_all_scores(shape):
    scores = np.random.default_rng(sum(shape)).normal(size=shape)
    forward = matching.top(Table(scores), shape[1])
    assert assign_candidates(forward, shape[1]).pairs.tolist() == \
        assign_all(Table(scores)).pairs.tolist()  # fmt: skip


def test_a_query_whose_candidates_are_taken_stays_alone():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.6]])
    found = assign_candidates(matching.top(Table(scores), 1), 2)
    assert not found.whole
    assert found.pairs.tolist() == [[0, 0]] and found.scores.tolist() == pytest.approx([0.9])


def test_more_pairs_come_before_higher_scores():
    # greedy would give query 0 its best and leave query 1 alone
    scores = np.array([[1.0, 0.9, -9], [1.0, -9, -9]])
    forward = matching.top(Table(scores), 2)
    found = assign_candidates(forward, 3)
    assert found.pairs.tolist() == [[0, 1], [1, 0]]


def test_too_many_scores_are_refused(monkeypatch):
    monkeypatch.setattr(assignment, "CELLS", 11)
    with pytest.raises(UserError, match="too many"):
        assign_all(Table(np.zeros((3, 4))))


def test_equal_scores_still_give_each_its_own():
    found = assign_candidates(matching.top(Table(np.zeros((5, 5))), 5), 5)
    assert sorted(found.pairs[:, 1].tolist()) == list(range(5))
