"""Find nearest neighbours by cosine, CSLS and margin matching, block by block.

A `Similarity` is a matrix that is never whole in memory. It returns blocks of its rows, so that
100,000 x 100,000 sentences fit in memory. `cosine` makes a similarity from two sets of vectors.
`csls` corrects a similarity for hubs. Any other scorer that returns rows can be used.

Among equal scores the first of the pool comes first, as with argmax, for any block size. A zero
vector has cosine 0 with every vector. Input tensors stay on their device, so a GPU works. Results
are NumPy arrays. `nearest` and `top_both` of cosines use `xadapt.vectors.search`, which also takes
sets that don't fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.vectors.search.exact import Neighbours, Pair, merge_best, top_rows
from xadapt.vectors.search.nearest import PLAIN, one_way, pair_of, search
from xadapt.vectors.search.sides import Side, Vectors, spans
from xadapt.vectors.search.sweep import Options

Margin = Literal["ratio", "distance", "absolute"]
MARGINS: tuple[Margin, ...] = get_args(Margin)
BLOCK_ELEMENTS = 2**24


class Similarity(Protocol):
    """A matrix of scores (queries, pool), returned by rows. Higher is nearer."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of queries and the size of the pool."""

    def rows(self, start: int, stop: int) -> Tensor:
        """Return scores ``(stop - start, pool)`` of the queries from ``start`` up to ``stop``."""

    def swapped(self) -> Similarity:
        """Return the same scores with queries and pool swapped: ``(pool, queries)``."""


@dataclass(frozen=True)
class Cosine:
    """Cosine similarity of unit vectors ``queries (n, dim)`` and ``pool (m, dim)``."""

    queries: Tensor
    pool: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """The number of queries and the size of the pool."""
        return len(self.queries), len(self.pool)

    def rows(self, start: int, stop: int) -> Tensor:
        """Compute cosines ``(stop - start, pool)``, float32."""
        return self.queries[start:stop] @ self.pool.T

    def swapped(self) -> Cosine:
        """Return the similarity with queries and pool swapped."""
        return Cosine(self.pool, self.queries)


@dataclass(frozen=True)
class Csls:
    """Twice a similarity minus the mean neighbour score of query and pool vector; see `csls`."""

    plain: Similarity
    query_mean: Tensor
    pool_mean: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """The number of queries and the size of the pool."""
        return self.plain.shape

    def rows(self, start: int, stop: int) -> Tensor:
        """Compute corrected scores ``(stop - start, pool)``, float32."""
        plain = self.plain.rows(start, stop)
        query_mean, pool_mean = self.query_mean.to(plain), self.pool_mean.to(plain)
        return plain.mul(2).sub_(query_mean[start:stop, None]).sub_(pool_mean)

    def swapped(self) -> Csls:
        """Return the similarity with queries and pool swapped. The correction is symmetric."""
        return Csls(self.plain.swapped(), self.pool_mean, self.query_mean)


def cosine(queries: Vectors, pool: Vectors) -> Cosine:
    """Make the cosine similarity of two sets of vectors of any length.

    Args:
        queries: ``(n, dim)``, any float type, array or tensor.
        pool: ``(m, dim)``.

    Raises:
        UserError: If a set is empty or contains NaN or infinity, or the widths differ.
    """
    pair = pair_of(queries, pool)
    left, right = pair.asking, pair.asked
    return Cosine(left.units(0, len(left)), right.units(0, len(right)))


def csls(similarity: Similarity, k: int = 10, *, block: int | None = None) -> Csls:
    """Apply cross-domain similarity local scaling: 2 s(x, y) - r(x) - r(y).

    r is the mean score of the k nearest on the other side (Conneau et al. 2018, arXiv 1710.04087,
    section 2.3). CSLS is transductive: the answer to a query depends on the other queries. So
    report a score with CSLS together with the score without CSLS. ``k`` is at most the size of the
    other side.
    """
    forward, backward = top_both(similarity, k, block=block)
    query_mean, pool_mean = forward.scores.mean(axis=1), backward.scores.mean(axis=1)
    return Csls(similarity, torch.from_numpy(query_mean), torch.from_numpy(pool_mean))


def nearest(
    queries: Vectors,
    pool: Vectors,
    k: int,
    *,
    csls: int = 0,
    options: Options = PLAIN,
    index: str | None = None,
) -> Neighbours:
    """Find the ``k`` vectors of the pool with the highest cosine to each query.

    See `xadapt.vectors.search.nearest.one_way`. Sets may be on disk and have millions of vectors.
    An index such as ``index="faiss:HNSW32"`` searches them with faiss.
    """
    return one_way(queries, pool, k, csls=csls, options=options, index=index)


def top(similarity: Similarity, k: int, *, block: int | None = None) -> Neighbours:
    """Find the ``k`` best of the pool for each query, best first, the first of equals first.

    Args:
        similarity: Scores ``(n, m)``.
        k: Number of neighbours, at most ``m``.
        block: Queries per block. By default a block has 2**24 scores.

    Raises:
        UserError: If ``k`` is less than 1.
    """
    if k < 1:
        raise UserError(f"k must be at least 1, not {k}")
    k = min(k, similarity.shape[1])
    return Neighbours.of([top_rows(rows, k) for _, rows in _blocks(similarity, block)])


def top_both(
    similarity: Similarity, k: int, *, block: int | None = None
) -> tuple[Neighbours, Neighbours]:
    """Compute `top` of a similarity and of the swapped similarity, from the same scores.

    Args:
        similarity: Scores ``(n, m)``. Cosines are searched by tiles.
        k: Number of neighbours, at most the size of the other side.
        block: Queries per block, for similarities other than cosine.

    Raises:
        UserError: If ``k`` is less than 1.
    """
    if isinstance(similarity, Cosine):
        pair = Pair(Side.of_units(similarity.queries), Side.of_units(similarity.pool))
        forward, backward = search(pair, k, True)
        assert backward is not None
        return forward, backward
    if k < 1:
        raise UserError(f"k must be at least 1, not {k}")
    asking: list[tuple[Tensor, Tensor]] = []
    best: list[tuple[Tensor, Tensor]] = []
    for start, rows in _blocks(similarity, block):
        asking.append(top_rows(rows, min(k, rows.shape[1])))
        scores, indices = top_rows(rows.T.contiguous(), min(k, len(rows)))
        best = [merge_best([*best, (scores, indices + start)], k)]
    return Neighbours.of(asking), Neighbours.of(best)


def margin_best(forward: Neighbours, backward: Neighbours, margin: Margin = "ratio") -> Neighbours:
    """Choose the best of each query's k nearest by margin, as in LASER's xsim.

    With a = cos(x, y) and b half the sum of the mean cosines of x and of y to their k nearest on
    the other side, the score is a / b (ratio), a - b (distance) or a alone (absolute); Artetxe &
    Schwenk 2019, arXiv 1811.01136, section 3. The candidates of x are its k nearest by cosine
    only, as in ``facebookresearch/LASER`` ``source/xsim.py``, where k is 4. If b is 0, the ratio
    has no value and the candidate comes last.

    Args:
        forward: `top` of the queries in the pool, ``(n, k)``.
        backward: `top` of the pool in the queries, ``(m, k)``.
        margin: Name of the score.

    Returns:
        One neighbour a query: scores and indices of shape ``(n, 1)``.

    Raises:
        UserError: If there is no such margin.
    """
    if margin not in MARGINS:
        raise UserError(f"unknown margin {margin!r}", todo=f"Use one of {', '.join(MARGINS)}")
    scores = forward.scores
    if margin != "absolute":
        around = backward.scores.mean(axis=1)[forward.indices]
        around = (forward.scores.mean(axis=1, keepdims=True) + around) / 2
        if margin == "ratio":
            lowest = np.full_like(scores, -np.inf)
            scores = np.divide(scores, around, out=lowest, where=around != 0)
        else:
            scores = scores - around
    best = scores.argmax(axis=1)[:, None]
    return Neighbours(
        np.take_along_axis(scores, best, axis=1), np.take_along_axis(forward.indices, best, axis=1)
    )


def mutual(forward: Neighbours, backward: Neighbours) -> NDArray[np.int64]:
    """Return pairs ``(p, 2)`` of query and pool positions that are mutual nearest neighbours."""
    found = forward.indices[:, 0]
    asked = np.arange(len(found))
    agreed = backward.indices[found, 0] == asked
    return np.stack([asked[agreed], found[agreed]], axis=1)


def _blocks(similarity: Similarity, block: int | None) -> Iterator[tuple[int, Tensor]]:
    count, pool = similarity.shape
    for start, stop in spans(count, block or max(1, BLOCK_ELEMENTS // pool)):
        yield start, similarity.rows(start, stop)
