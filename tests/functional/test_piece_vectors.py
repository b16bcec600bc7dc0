import numpy as np
import pytest
from scipy.optimize import minimize

from xadapt.functional.piece_vectors import ppmi_vectors, sparsemax


def test_sparsemax_by_hand_and_as_a_projection():
    assert sparsemax(np.array([[0.0, 0.0], [2.0, 0.5], [0.6, 0.4]])) == pytest.approx(
        np.array([[0.5, 0.5], [1.0, 0.0], [0.6, 0.4]])
    )
    scores = np.random.default_rng(0).normal(size=(5, 4))
    found = sparsemax(scores)
    assert found.sum(1) == pytest.approx(np.ones(5)) and (found >= 0).all()
    for row, own in zip(scores, found, strict=True):
        best = minimize(
            lambda p, row=row: ((p - row) ** 2).sum(), np.full(4, 0.25), bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1}, tol=1e-12,
        )  # fmt: skip
        assert own == pytest.approx(best.x, abs=1e-4)


def test_pieces_with_the_same_neighbours_are_near():
    """0 and 1 stand between 2 and 3, 4 and 5 between 6 and 7; 8 never occurs."""
    rows = [[2, 0, 3], [2, 1, 3], [6, 4, 7], [6, 5, 7]] * 5
    vectors = ppmi_vectors(rows, 9, dim=4, window=1)
    near = vectors @ vectors.T
    assert near[0, 1] > 0.9 and near[4, 5] > 0.9 and abs(near[0, 4]) < 0.1
    assert not vectors[8].any() and near[0, 0] == pytest.approx(1)
    assert (ppmi_vectors(rows, 9, dim=4, window=1) == vectors).all()


def test_nothing_stands_near_anything():
    assert not ppmi_vectors([[1], []], 3, dim=2).any()
