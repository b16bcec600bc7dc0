"""Static vectors of pieces from plain text, and weights for convex combinations of known rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix


def ppmi_vectors(
    rows: Sequence[Sequence[int]], size: int, dim: int = 100, window: int = 5
) -> NDArray[np.float64]:
    """Factorise positive pointwise mutual information of pieces that stand near each other.

    Source: Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization",
    section 5, with the square root of the singular values.

    Args:
        rows: Sequences of ids below ``size``.
        size: Number of ids.
        dim: Features of a vector.
        window: Largest distance of two pieces that count as near.

    Returns:
        Unit vectors ``(size, dim)``; zeros for ids that never occur near another.
    """
    ones, others = [], []
    for row in rows:
        ids = np.asarray(row, np.int64)
        for distance in range(1, min(window, len(ids) - 1) + 1):
            ones += [ids[:-distance], ids[distance:]]
            others += [ids[distance:], ids[:-distance]]
    if not ones:
        return np.zeros((size, dim))
    a, b = np.concatenate(ones), np.concatenate(others)
    counts = coo_matrix((np.ones(len(a)), (a, b)), shape=(size, size)).tocsr().tocoo()
    totals = np.bincount(a, minlength=size).astype(float)
    pmi = np.log(counts.data * totals.sum() / (totals[counts.row] * totals[counts.col]))
    kept = pmi > 0
    matrix = coo_matrix((pmi[kept], (counts.row[kept], counts.col[kept])), shape=(size, size))
    left, values = _left_singular(matrix.tocsr(), min(dim, size))
    vectors, rank = np.zeros((size, dim)), len(values)
    vectors[:, :rank] = left * np.sqrt(values)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9)


def _left_singular(
    matrix: Any, rank: int, rounds: int = 4, more: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Approximate the largest singular values and their left vectors, the same in every call.

    Source: Halko et al. 2011, https://arxiv.org/abs/0909.4061, algorithms 4.4 and 5.1.

    Args:
        matrix: A sparse square matrix.
        rank: How many are wanted.
        rounds: Power iterations.
        more: Further columns of the random start.
    """
    size = matrix.shape[0]
    basis = np.random.default_rng(0).standard_normal((size, min(size, rank + more)))
    for _ in range(rounds):
        basis, _ = np.linalg.qr(matrix @ basis)
        basis, _ = np.linalg.qr(matrix.T @ basis)
    basis, _ = np.linalg.qr(matrix @ basis)
    left, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank]


def sparsemax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project each row of scores onto the simplex: weights of sum 1, most of them zero.

    Source: Martins and Astudillo 2016, https://arxiv.org/abs/1602.02068, algorithm 1.

    Args:
        scores: ``(n, m)``.

    Returns:
        Weights ``(n, m)``.
    """
    ordered = -np.sort(-scores, axis=1)
    sums = ordered.cumsum(1) - 1
    place = np.arange(1, scores.shape[1] + 1)
    support = (ordered * place > sums).sum(1)
    threshold = sums[np.arange(len(scores)), support - 1] / support
    return np.asarray(np.maximum(scores - threshold[:, None], 0))
