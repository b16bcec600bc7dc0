from __future__ import annotations

import numpy as np
import pytest
import torch

from xadapt.core.errors import UserError
from xadapt.functional.metrics import (
    correct,
    error_rate,
    hits,
    ndcg,
    ranks,
    recall_at,
    reciprocal,
    reciprocal_at,
)


class Table:
    def __init__(self, values):
        self.values = torch.as_tensor(np.asarray(values), dtype=torch.float32)

    @property
    def shape(self):
        return tuple(self.values.shape)

    def rows(self, start, stop):
        return self.values[start:stop].clone()


def slow_rank(row, asked, pool):
    gold = max(score for score, entity in zip(row, pool, strict=True) if entity == asked)
    rivals = [score for score, entity in zip(row, pool, strict=True) if entity != asked]
    optimistic = 1 + sum(score > gold for score in rivals)
    pessimistic = 1 + sum(score >= gold for score in rivals)
    return (optimistic + pessimistic) / 2


def test_correct_and_error_rate():
    assert correct([0, 2, 2]).tolist() == [1, 0, 1]
    assert correct([[1], [1]], [1, 0]).tolist() == [1, 0]
    assert error_rate([0, 2, 2, 3]) == 25
    assert error_rate([0]) == 0


def test_ranks_by_hand():
    scores = [[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.5, 0.5, 0.5]]
    assert ranks(Table(scores), [0, 1, 2], [0, 1, 2]).tolist() == [1, 3, 2]


@pytest.mark.parametrize("block", [None, 1, 5])
@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_slow_loop_with_ties_and_several_answers(seed, block):
    rng = np.random.default_rng(seed)
    pool = np.concatenate([np.arange(8), rng.integers(0, 8, size=12)])
    asked = rng.integers(0, 8, size=25)
    scores = rng.integers(0, 6, size=(30, 20))
    expected = [slow_rank(row, one, pool) for row, one in zip(scores.tolist(), asked, strict=False)]
    assert ranks(Table(scores), asked, pool, block=block).tolist() == expected


@pytest.mark.parametrize("n", [1, 2, 10, 101])
def test_constant_and_perfect_scorers(n):
    constant = ranks(Table(np.full((n, n), 0.3)), np.arange(n), np.arange(n))
    assert reciprocal(constant).mean() == pytest.approx(2 / (n + 1))
    perfect = ranks(Table(np.eye(n)), np.arange(n), np.arange(n))
    assert reciprocal(perfect).mean() == hits(perfect, 1).mean() == 1


def test_measures_are_ordered():
    scores = np.random.default_rng(1).integers(0, 30, size=(60, 60)) + 15 * np.eye(60)
    rank = ranks(Table(scores), np.arange(60), np.arange(60))
    one, ten, mrr = hits(rank, 1).mean(), hits(rank, 10).mean(), reciprocal(rank).mean()
    assert 0 < one < mrr < ten < 1


def test_a_shared_first_place_is_no_hit():
    rank = ranks(Table([[0.7, 0.7, 0.1]]), [0], [0, 1, 2])
    assert rank.tolist() == [1.5]
    assert hits(rank, 1).tolist() == [0]


def test_rounding_makes_no_order():
    scores = Table([[0.7, 0.7 + 2e-7, 0.7 - 2e-7, 0.70001]])
    assert ranks(scores, [0], [0, 1, 2, 3]).tolist() == [3]
    assert ranks(scores, [0], [0, 1, 2, 3], tie=0).tolist() == [3]
    assert ranks(scores, [2], [0, 1, 2, 3], tie=0).tolist() == [4]
    assert ranks(scores, [2], [0, 1, 2, 3]).tolist() == [3]


def test_a_query_without_an_answer_is_refused():
    with pytest.raises(UserError, match="query 1 has no right answer"):
        ranks(Table(np.eye(3)), [0, 7, 2], [0, 1, 2], block=1)


def test_two_answers_that_rounding_parts_are_both_left_out():
    assert ranks(Table([[0.7, 0.7 - 2e-7, 0.1]]), [5], [5, 5, 6]).tolist() == [1]


@pytest.mark.parametrize(("queries", "pool"), [([0, 1, 2, 0], [0, 1, 2]), ([0], [0, 1])])
def test_ids_that_do_not_fit_the_scores_are_refused(queries, pool):
    with pytest.raises(UserError, match="do not fit"):
        ranks(Table(np.eye(3)), queries, pool)


def test_ndcg_and_others_at_k_by_hand():
    relevant = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0]], dtype=bool)
    count = np.array([2, 5, 1])
    best = 1 + 1 / np.log2(3)
    wanted = [(1 / np.log2(3) + 1 / 2) / best, 1 / (best + 1 / 2), 0]
    assert ndcg(relevant, count) == pytest.approx(wanted)
    assert reciprocal_at(relevant).tolist() == [0.5, 1, 0]
    assert recall_at(relevant, count) == pytest.approx([1, 0.2, 0])


def test_ndcg_is_that_of_scikit_learn():
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(0)
    gold, scores = rng.random((30, 12)) < 0.3, rng.random((30, 12))
    gold[:, 0] = True
    order = np.argsort(-scores, axis=1)[:, :10]
    relevant = np.take_along_axis(gold, order, axis=1)
    found = ndcg(relevant, gold.sum(1)).mean()
    assert found == pytest.approx(ndcg_score(gold.astype(float), scores, k=10))
