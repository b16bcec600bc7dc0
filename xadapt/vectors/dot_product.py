"""Find the vectors with the highest dot product, block by block; lengths of vectors count."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.vectors.search.exact import Neighbours, merge_best, top_rows
from xadapt.vectors.search.sides import spans

BLOCK = 2**16


def top_by_dot(queries: NDArray[np.float32], pool: Any, k: int, block: int = BLOCK) -> Neighbours:
    """Find the ``k`` rows of the pool with the highest dot product with each query.

    Args:
        queries: ``(n, dim)``.
        pool: ``(m, dim)``, an array or vectors in shards.
        k: Number of neighbours; cut to ``m``.
        block: Rows of the pool in memory at a time. The result does not depend on it.

    Raises:
        UserError: If ``k`` is below 1, or the dimensions differ.
    """
    if k < 1:
        raise UserError(f"k must be at least 1, not {k}")
    if queries.shape[1] != pool.shape[1]:
        raise UserError(f"queries have {queries.shape[1]} dimensions, the pool {pool.shape[1]}")
    asked, k = torch.from_numpy(queries), min(k, len(pool))
    best: list[tuple[Tensor, Tensor]] = []
    for start, stop in spans(len(pool), block):
        rows = torch.from_numpy(np.array(pool[start:stop], dtype=np.float32))
        scores, places = top_rows(asked @ rows.T, min(k, stop - start))
        best = [merge_best([*best, (scores, places + start)], k)]
    return Neighbours.of(best)
