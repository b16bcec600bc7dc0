"""Static vectors of pieces from plain text, and weights for convex combinations of known rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import svds


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
    rank = min(dim, size - 1)
    start = np.random.default_rng(0).standard_normal(size)
    left, values, _ = svds(matrix.tocsr(), k=rank, v0=start)
    vectors = np.zeros((size, dim))
    vectors[:, :rank] = left * np.sqrt(values)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9)


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
