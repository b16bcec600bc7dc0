"""Fuse the vectors of passages with those of queries that could be asked about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key


def fuse(
    passages: NDArray[np.float32],
    queries: NDArray[np.float32],
    owners: NDArray[np.int64],
    weight: float,
) -> NDArray[np.float32]:
    """Compute ``(1 - a) p + a * sum of e(q)`` over the queries q of each passage p.

    The sum is not divided by the number of queries, and the result is not normalised. With
    ``a = 0`` the passages come back bit for bit. A passage without a query becomes ``(1 - a) p``.

    Source: Zhuang et al. 2023, https://arxiv.org/abs/2305.03950, where a = 0.01 and each passage
    has 35 queries.

    Args:
        passages: ``(n, dim)``.
        queries: ``(m, dim)``, made by the same encoder.
        owners: ``(m,)``, the row of the passage of each query.
        weight: The weight a, from 0 to 1.

    Raises:
        UserError: If the weight is outside 0 to 1.
    """
    require_weight(weight)
    if weight == 0:
        return passages
    sums = np.zeros(passages.shape, np.float64)
    np.add.at(sums, owners, queries)
    return ((1 - weight) * passages + weight * sums).astype(np.float32)


def require_weight(weight: float) -> None:
    """Refuse a weight of queries that is no number from 0 to 1.

    Raises:
        UserError: If it is none.
    """
    if isinstance(weight, bool) or not math.isfinite(weight) or not 0 <= weight <= 1:
        raise UserError(
            f"the weight of the queries is {weight}, not a number from 0 to 1",
            todo="Give a small one, such as 0.01 for 35 queries a passage",
        )


def choose_weight(
    weights: Sequence[float],
    score: Callable[[float], float],
    dev: Iterable[str],
    test: Iterable[str] = (),
) -> float:
    """Return the weight with the highest score on development questions, the first of equals.

    Args:
        weights: The weights to try.
        score: Function from a weight to the score on the development questions.
        dev: The development questions.
        test: The questions that are reported later.

    Raises:
        UserError: If there is no weight or one is outside 0 to 1, or a question is in both parts.
    """
    for weight in weights:
        require_weight(weight)
    both = {normal_key(text) for text in dev} & {normal_key(text) for text in test}
    if both:
        raise UserError(
            f"{len(both)} questions choose the weight and are reported as well",
            todo="Choose it on questions that are not reported",
        )
    if not weights:
        raise UserError("there is no weight to try")
    return max(weights, key=score)
