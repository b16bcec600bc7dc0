"""Assign each query at most one vector of the pool, and each vector of the pool at most one query.

Source: the assignment problem, Kuhn 1955, https://doi.org/10.1002/nav.3800020109, solved by scipy:
`linear_sum_assignment` (Crouse 2016) on a whole matrix, and `min_weight_full_bipartite_matching` on
the candidates of each query where the matrix would be too large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from xadapt.core.errors import UserError
from xadapt.vectors.matching import Similarity
from xadapt.vectors.search.exact import Neighbours
from xadapt.vectors.search.sides import spans

CELLS = 2**27
"""The largest number of scores of a whole matrix: 1 GiB in float64."""
BLOCK = 2**10


@dataclass(frozen=True)
class Assignment:
    """One to one pairs.

    Attributes:
        pairs: Positions ``(p, 2)`` of queries and of their vectors in the pool, by query.
        scores: The score of each pair, ``(p,)``.
        whole: Whether all scores were compared; else only the candidates of each query.
    """

    pairs: NDArray[np.int64]
    scores: NDArray[np.float64]
    whole: bool


def assign_all(similarity: Similarity) -> Assignment:
    """Find the pairs with the highest sum of scores, as many as the smaller side has.

    Args:
        similarity: Scores ``(n, m)``; all are held in memory as float64.

    Raises:
        UserError: If there are more than `CELLS` scores.
    """
    n, m = similarity.shape
    if n * m > CELLS:
        raise UserError(
            f"{n:,} x {m:,} scores are too many for an assignment over all of them",
            todo="Assign among candidates",
        )
    scores = np.empty((n, m))
    for start, stop in spans(n, BLOCK):
        scores[start:stop] = similarity.rows(start, stop).numpy()
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return Assignment(np.stack([rows, columns], axis=1), scores[rows, columns], whole=True)


def assign_candidates(forward: Neighbours, size: int) -> Assignment:
    """Find the most pairs among the candidates of each query, with the highest sum of scores.

    A query whose candidates are all taken by others stays without a pair: each query has one more
    column of its own, which costs more than any exchange of candidates gains.

    Args:
        forward: The candidates of each query, ``(n, k)``.
        size: Size of the pool.
    """
    n, k = forward.indices.shape
    highest, lowest = float(forward.scores.max()), float(forward.scores.min())
    unit = max(highest - lowest, 1e-12)
    costs = 1 + (highest - forward.scores) / unit  # scipy drops zeros, so that costs begin at 1
    alone = np.full((n, 1), 2.0 * (min(n, size) + 2))
    columns = np.concatenate([forward.indices, size + np.arange(n)[:, None]], axis=1)
    order = np.argsort(columns, axis=1)
    data = np.take_along_axis(np.concatenate([costs, alone], axis=1), order, axis=1)
    found = csr_array(
        (data.ravel(), np.take_along_axis(columns, order, axis=1).ravel(),
         np.arange(n + 1) * (k + 1)),
        shape=(n, size + n),
    )  # fmt: skip
    rows, chosen = min_weight_full_bipartite_matching(found)
    kept = chosen < size
    pairs = np.stack([rows[kept], chosen[kept]], axis=1).astype(np.int64)
    place = (forward.indices[pairs[:, 0]] == pairs[:, 1:]).argmax(axis=1)
    return Assignment(pairs, forward.scores[pairs[:, 0], place], whole=False)
