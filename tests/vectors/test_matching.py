from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from xadapt.core.errors import UserError
from xadapt.vectors.matching import (
    MARGINS,
    Neighbours,
    cosine,
    csls,
    margin_best,
    mutual,
    nearest,
    top,
    top_both,
)


def slow_cosine(x, y):
    lengths = math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y))
    return sum(a * b for a, b in zip(x, y, strict=True)) / lengths if lengths else 0.0


def slow_matrix(queries, pool):
    return [[slow_cosine(x, y) for y in pool.tolist()] for x in queries.tolist()]


def slow_top(row, k):
    return sorted(range(len(row)), key=lambda j: (-row[j], j))[:k]


def slow_xsim(queries, pool, margin, k=4):
    """The public definition once more: best margin among each query's k nearest by cosine."""
    matrix = slow_matrix(queries, pool)
    columns = [list(column) for column in zip(*matrix, strict=True)]
    mean = lambda row: sum(sorted(row)[-k:]) / k  # noqa: E731
    found = []
    for i, row in enumerate(matrix):
        best, choice = -math.inf, None
        for j in slow_top(row, k):
            around = (mean(row) + mean(columns[j])) / 2
            score = {
                "ratio": lambda a, b: a / b,
                "distance": lambda a, b: a - b,
                "absolute": lambda a, b: a,
            }[margin](row[j], around)
            if score > best:
                best, choice = score, (j, score)
        found.append((i, *choice))
    return found


def noisy_pair(n, dim=12, noise=0.8, seed=0):
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(n, dim))
    return left, left + noise * rng.normal(size=(n, dim))


class Table:
    """A similarity held whole, which remembers how many rows were asked for at a time."""

    def __init__(self, values):
        self.values = torch.as_tensor(values, dtype=torch.float32)
        self.asked = []

    @property
    def shape(self):
        return tuple(self.values.shape)

    def rows(self, start, stop):
        self.asked.append(stop - start)
        return self.values[start:stop].clone()

    def swapped(self):
        return Table(self.values.T)


def test_nearest_by_hand():
    pool = np.array([[1.0, 0.0], [0.0, 5.0], [3.0, 3.0]])
    found = nearest(np.array([[2.0, 0.0], [0.0, 1.0]]), pool, 2)
    assert found.indices.tolist() == [[0, 2], [1, 2]]
    np.testing.assert_allclose(found.scores, [[1, math.sqrt(0.5)]] * 2, atol=1e-6)


@pytest.mark.parametrize("block", [None, 1, 3, 100])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_nearest_equals_slow_loop(block, k):
    rng = np.random.default_rng(k)
    queries, pool = rng.normal(size=(17, 5)), rng.normal(size=(23, 5))
    found = top(cosine(queries, pool), k, block=block)
    matrix = slow_matrix(queries, pool)
    for i, row in enumerate(matrix):
        expected = slow_top(row, k)
        assert found.indices[i].tolist() == expected
        np.testing.assert_allclose(found.scores[i], [row[j] for j in expected], atol=1e-6)


@pytest.mark.parametrize("block", [None, 1, 7])
@pytest.mark.parametrize("k", [1, 2, 5, 30])
def test_first_of_equals_comes_first(block, k):
    values = np.random.default_rng(k).integers(0, 4, size=(40, 30))
    values[3], values[4, :29] = 2, 0
    found = top(Table(values), k, block=block)
    assert found.indices.tolist() == [slow_top(row, k) for row in values.tolist()]
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_only_a_block_of_rows_is_asked_for():
    table = Table(np.eye(10))
    top(table, 1, block=4)
    assert table.asked == [4, 4, 2]


def test_length_does_not_matter_and_inputs_stay():
    left, right = (part.astype(np.float32) for part in noisy_pair(9))
    before = left.copy()
    plain = nearest(left, right, 3)
    for scale in (1e-30, 1e-3, 1e30):
        scaled = nearest(left * np.float32(scale), right, 3)
        assert (scaled.indices == plain.indices).all()
        np.testing.assert_allclose(scaled.scores, plain.scores, atol=1e-6)
    assert (left == before).all()


def test_tensors_half_precision_and_read_only_arrays():
    left, right = noisy_pair(8)
    plain = nearest(left, right, 1)
    left.flags.writeable = False
    assert (nearest(left, torch.from_numpy(right), 1).indices == plain.indices).all()
    half = nearest(torch.from_numpy(right).bfloat16(), torch.from_numpy(right).half(), 1)
    assert half.indices[:, 0].tolist() == list(range(8))


def test_zero_vectors_have_cosine_zero():
    found = nearest(np.zeros((1, 3)), np.array([[-1.0, 0, 0], [0, 0, 0], [1, 0, 0]]), 3)
    assert found.scores.tolist() == [[0, 0, 0]]
    assert found.indices.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_numbers_are_refused_with_their_place(value):
    good, bad = np.ones((5, 2)), np.ones((5, 2))
    bad[3, 1] = value
    with pytest.raises(UserError, match=r"1 of 5 vectors of the pool .* position 3"):
        cosine(good, bad)
    with pytest.raises(UserError, match="queries"):
        cosine(bad, good)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (2, 3, 4)])
def test_bad_shapes_are_refused(shape):
    with pytest.raises(UserError, match=r"\(n, dim\)"):
        cosine(np.ones(shape), np.ones((2, 3)))


def test_bad_width_k_and_margin_are_refused():
    with pytest.raises(UserError, match="3 and 4"):
        cosine(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(UserError, match="at least 1"):
        nearest(np.ones((2, 3)), np.ones((2, 3)), 0)
    found = nearest(np.eye(3), np.eye(3), 2)
    with pytest.raises(UserError, match="ratio, distance, absolute"):
        margin_best(found, found, "cosine")


@pytest.mark.parametrize("k", [1, 3, 10, 1000])
@pytest.mark.parametrize("block", [None, 2])
def test_csls_equals_slow_loop_also_where_k_exceeds_the_pool(k, block):
    rng = np.random.default_rng(k)
    queries, pool = rng.normal(size=(11, 4)), rng.normal(size=(14, 4))
    matrix = np.array(slow_matrix(queries, pool))
    expected = np.empty_like(matrix)
    for i in range(11):
        for j in range(14):
            around_query = np.sort(matrix[i])[::-1][:k].mean()
            around_pool = np.sort(matrix[:, j])[::-1][:k].mean()
            expected[i, j] = 2 * matrix[i, j] - around_query - around_pool
    corrected = csls(cosine(queries, pool), k, block=block)
    assert corrected.shape == (11, 14)
    np.testing.assert_allclose(corrected.rows(0, 11).numpy(), expected, atol=2e-6)
    np.testing.assert_allclose(corrected.rows(4, 6).numpy(), expected[4:6], atol=2e-6)
    np.testing.assert_allclose(corrected.swapped().rows(0, 14).numpy(), expected.T, atol=2e-6)


def test_csls_takes_a_hub_down():
    scores = [[0.8, 0.9, 0.0], [0.0, 0.9, 0.1], [0.0, 0.9, 0.85]]
    table = Table(scores)
    assert top(table, 1).indices[:, 0].tolist() == [1, 1, 1]
    assert top(csls(table, 2), 1).indices[:, 0].tolist() == [0, 1, 2]


def test_csls_of_one_row():
    assert csls(cosine(np.ones((1, 2)), np.ones((1, 2)))).rows(0, 1).tolist() == [[0.0]]


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize(("n", "k"), [(60, 4), (9, 2), (4, 4), (30, 1)])
def test_margins_equal_the_public_definition(margin, n, k):
    left, right = noisy_pair(n, seed=n)
    forward, backward = nearest(left, right, k), nearest(right, left, k)
    for one, other, ways in (
        (left, right, (forward, backward)),
        (right, left, (backward, forward)),
    ):
        best = margin_best(*ways, margin)
        assert best.indices.shape == best.scores.shape == (n, 1)
        expected = slow_xsim(one, other, margin, k)
        assert best.indices[:, 0].tolist() == [row[1] for row in expected]
        # A ratio near a zero denominator magnifies float32 rounding: hence a relative bound too.
        np.testing.assert_allclose(
            best.scores[:, 0], [row[2] for row in expected], rtol=1e-5, atol=1e-6
        )


def test_margin_candidates_are_the_nearest_by_cosine():
    scores = np.array([[0.60, 0.50, 0.45], [0.60, 0.50, 0.0], [0.60, 0.50, 0.0]])
    forward, backward = top(Table(scores), 2), top(Table(scores.T), 2)
    distance = (
        scores - (np.sort(scores)[:, 1:].mean(1)[:, None] + np.sort(scores.T)[:, 1:].mean(1)) / 2
    )
    assert distance[0].argmax() == 2, "over the whole pool the third would win"
    assert margin_best(forward, backward, "distance").indices[0, 0] == 0


def test_margin_by_hand():
    forward = Neighbours(np.array([[0.8, 0.6]]), np.array([[0, 1]]))
    backward = Neighbours(np.array([[0.9, 0.8], [0.3, 0.1]]), np.array([[0, 0], [0, 0]]))
    ratio = margin_best(forward, backward, "ratio")
    assert ratio.indices.tolist() == [[1]]
    assert ratio.scores[0, 0] == pytest.approx(0.6 / ((0.7 + 0.2) / 2))
    assert margin_best(forward, backward, "distance").scores[0, 0] == pytest.approx(0.6 - 0.45)
    assert margin_best(forward, backward, "absolute").indices.tolist() == [[0]]


def test_a_ratio_over_zero_comes_last():
    zero = nearest(np.zeros((3, 2)), np.zeros((3, 2)), 2)
    assert margin_best(zero, zero, "ratio").indices[:, 0].tolist() == [0, 0, 0]
    forward = Neighbours(np.array([[0.5, 0.4]]), np.array([[0, 1]]))
    backward = Neighbours(np.array([[-0.45], [0.2]]), np.array([[0], [0]]))
    assert margin_best(forward, backward, "ratio").indices.tolist() == [[1]]


def test_a_ratio_over_a_negative_mean_is_taken_as_it_is():
    forward = Neighbours(np.array([[0.2, -0.3]]), np.array([[0, 1]]))
    backward = Neighbours(np.array([[-0.35], [-0.25]]), np.array([[0], [0]]))
    ratio = margin_best(forward, backward, "ratio")
    assert ratio.indices.tolist() == [[1]]
    assert ratio.scores[0, 0] == pytest.approx(-0.3 / -0.15)


def test_mutual_equals_brute_force():
    left, right = noisy_pair(40, noise=1.5)
    right = right[:31]
    matrix = np.array(slow_matrix(left, right))
    expected = [
        [i, j] for i in range(40) for j in range(31)
        if matrix[i].argmax() == j and matrix[:, j].argmax() == i
    ]  # fmt: skip
    pairs = mutual(nearest(left, right, 3), nearest(right, left, 1))
    assert pairs.tolist() == expected
    assert 0 < len(expected) < 31


@pytest.mark.parametrize("block", [None, 1, 7])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_top_both_equals_top_of_each_way(block, k):
    values = np.random.default_rng(k).integers(0, 5, size=(40, 30))
    forward, backward = top_both(Table(values), k, block=block)
    for found, table in ((forward, Table(values)), (backward, Table(values.T))):
        alone = top(table, k)
        assert (found.indices == alone.indices).all()
        assert (found.scores == alone.scores).all()


def test_top_both_asks_for_each_row_once():
    table = Table(np.eye(10))
    top_both(table, 2, block=4)
    assert table.asked == [4, 4, 2]
    with pytest.raises(UserError, match="at least 1"):
        top_both(table, 0)


def test_top_both_of_cosines_equals_top_of_each_way():
    similarity = cosine(*noisy_pair(50))
    forward, backward = top_both(similarity, 4)
    for found, way in ((forward, similarity), (backward, similarity.swapped())):
        alone = top(way, 4)
        assert (found.indices == alone.indices).all()
        np.testing.assert_allclose(found.scores, alone.scores, atol=2e-7)
