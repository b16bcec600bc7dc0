"""Metrics of retrieval, one value per query.

The caller averages the values, and can resample them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from xadapt.core.errors import UserError

BLOCK_ELEMENTS = 2**23


class Rows(Protocol):
    """A matrix of scores ``(queries, pool)``, read row by row; a higher score is better."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of queries and the size of the pool."""

    def rows(self, start: int, stop: int) -> Tensor:
        """Return the scores ``(stop - start, pool)`` of the rows ``start`` to ``stop - 1``."""


def correct(found: ArrayLike, gold: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return 1 for each query that found its answer, else 0; the mean is the retrieval accuracy.

    Args:
        found: ``(n,)`` or ``(n, 1)`` positions in the pool.
        gold: ``(n,)`` right positions; by default the right position of query i is i.
    """
    positions = np.asarray(found).reshape(-1)
    right = np.arange(len(positions)) if gold is None else np.asarray(gold).reshape(-1)
    return (positions == right).astype(np.float64)


def error_rate(found: ArrayLike, gold: ArrayLike | None = None) -> float:
    """Compute the percentage of queries with a wrong answer, 100 x err / n.

    Over the matches of LASER's xsim, this is the xsim error rate.
    """
    hits_ = correct(found, gold)
    return float(100 * (len(hits_) - hits_.sum()) / len(hits_))


def ranks(
    similarity: Rows,
    queries: ArrayLike,
    pool: ArrayLike,
    *,
    tie: float = 1e-6,
    block: int | None = None,
) -> NDArray[np.float64]:
    """Compute the realistic rank of each query's best right answer, from 1.

    The realistic rank is the mean of the optimistic rank (before all equal scores) and the
    pessimistic rank (after them). A scorer that gives every pair the same score thus gets the
    rank of chance, (m + 1) / 2 (Berrendorf et al. 2020, arXiv 2002.06914). The other right
    answers of a query are left out of its ranking, as in the filtered setting of link prediction.

    Args:
        similarity: Scores ``(n or more, m)``; the first ``n`` rows are ranked.
        queries: ``(n,)`` integer ids of the entities to find.
        pool: ``(m,)`` integer ids. An entry is a right answer if its id equals the query's id.
        tie: Two scores count as equal if they differ by no more than this. Cosines of the same
            vector at two positions can differ by rounding.
        block: Number of queries at a time; by default a block holds at most 2**23 scores, and at
            least one query.

    Raises:
        UserError: If a query has no right answer in the pool, or the ids do not fit the scores.
    """
    entities, held = np.asarray(queries), np.asarray(pool)
    count = len(entities)
    if count > similarity.shape[0] or len(held) != similarity.shape[1]:
        raise UserError(f"{count} queries and {len(held)} names do not fit {similarity.shape}")
    asked, right = _answers(entities, held)
    block = block or max(1, BLOCK_ELEMENTS // similarity.shape[1])
    result = np.empty(count)
    for start in range(0, count, block):
        stop = min(start + block, count)
        inside = slice(*np.searchsorted(asked, [start, stop]))
        row, column = torch.from_numpy(asked[inside] - start), torch.from_numpy(right[inside])
        scores = similarity.rows(start, stop)
        result[start:stop] = _block_ranks(scores, row, column, tie).cpu().numpy()
    return result


def hits(rank: ArrayLike, k: int) -> NDArray[np.float64]:
    """Return 1 for each rank of at most ``k``, else 0; the mean is Hits@k."""
    return (np.asarray(rank, dtype=np.float64) <= k).astype(np.float64)


def reciprocal(rank: ArrayLike) -> NDArray[np.float64]:
    """Return one over each rank; the mean is MRR.

    With realistic ranks, a scorer that gives a constant has an MRR of 2 / (m + 1).
    """
    return 1 / np.asarray(rank, dtype=np.float64)


def ndcg(relevant: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
    """Compute nDCG at ``k`` of each query, with relevance 1 or 0.

    A right answer at rank r, from 1, counts 1 / log2(r + 1). The sum is divided by that of a
    ranking with all right answers first (Järvelin and Kekäläinen 2002, ACM TOIS 20, section 2.2,
    with the discount of trec_eval).

    Args:
        relevant: ``(n, k)``, whether each of the ``k`` best found texts is a right answer.
        count: ``(n,)``, the number of right answers in the pool, at least 1.
    """
    found = np.asarray(relevant, dtype=np.float64)
    gains = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    best = np.concatenate([[0.0], np.cumsum(gains)])
    wanted: NDArray[np.float64] = best[np.minimum(np.asarray(count), found.shape[1])]
    return (found * gains).sum(1) / wanted


def reciprocal_at(relevant: ArrayLike) -> NDArray[np.float64]:
    """Return one over the rank of the first right answer among ``k``, or 0 if there is none.

    Args:
        relevant: ``(n, k)``, as for `ndcg`. The mean is MRR@k.
    """
    found = np.asarray(relevant, dtype=bool)
    return np.where(found.any(1), 1 / (found.argmax(1) + 1), 0.0)


def recall_at(relevant: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
    """Return the share of the right answers that are among the ``k`` best; see `ndcg`."""
    return np.asarray(relevant, dtype=np.float64).sum(1) / np.asarray(count)


def _answers(
    queries: NDArray[np.int64], pool: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every pair of a query and a right position in the pool, sorted by query."""
    order = np.argsort(pool, kind="stable")
    first = np.searchsorted(pool, queries, side="left", sorter=order)
    amount = np.searchsorted(pool, queries, side="right", sorter=order) - first
    if not amount.all():
        raise UserError(
            f"query {int(np.argmin(amount))} has no right answer in the pool",
            todo="Put the answers of all queries into the pool",
        )
    offset = np.arange(amount.sum()) - np.repeat(np.cumsum(amount) - amount, amount)
    return np.repeat(np.arange(len(queries)), amount), order[np.repeat(first, amount) + offset]


def _block_ranks(scores: Tensor, row: Tensor, column: Tensor, tie: float) -> Tensor:
    """Compute ranks ``(b,)`` from ``scores (b, m)`` and the positions of their right answers."""
    row, column = row.to(scores.device), column.to(scores.device)
    right = scores[row, column]
    lowest = scores.new_full((len(scores),), -torch.inf)
    best = lowest.scatter_reduce(0, row, right, "amax")
    above = torch.count_nonzero(scores > (best + tie)[:, None], dim=1)
    not_below = torch.count_nonzero(scores >= (best - tie)[:, None], dim=1)
    own = (right >= (best - tie)[row]).to(not_below)
    return 1 + (above + not_below.scatter_add(0, row, -own)).double() / 2
