"""Word alignment: links from a matrix of similarities, and how well they agree with given links.

Every method is one function from scores ``(n, m)`` of the pieces (or words) of two sentences to a
boolean matrix of links ``(n, m)``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Link = tuple[int, int]
Links = NDArray[np.bool_]


def argmax_links(scores: ArrayLike) -> Links:
    """Link two pieces if each is the other's most similar piece; the first of equals counts.

    Source: Jalili Sabet et al. 2020 (SimAlign), https://arxiv.org/abs/2004.08728, section 2.1,
    where it is called Argmax.

    Args:
        scores: Similarities ``(n, m)``.
    """
    given = _matrix(scores)
    links = np.zeros(given.shape, bool)
    if given.size:
        rows = np.arange(len(given))
        best = given.argmax(1)
        mutual = given.argmax(0)[best] == rows
        links[rows[mutual], best[mutual]] = True
    return links


def itermax_links(scores: ArrayLike, rounds: int = 2, discount: float = 0.9) -> Links:
    """Repeat `argmax_links` for the pieces that are left.

    After each round, the similarity of two pieces is multiplied by 1 if neither has a link, by
    ``discount`` if one of them has, and by 0 if both have. New links are added to the earlier ones.

    Source: Jalili Sabet et al. 2020 (SimAlign), https://arxiv.org/abs/2004.08728, algorithm 1.

    Args:
        scores: Similarities ``(n, m)``; cosines are moved from -1..1 to 0..1, as there.
        rounds: Number of rounds; 1 gives `argmax_links`.
        discount: Factor for pairs in which one piece has a link.
    """
    given = (_matrix(scores) + 1) / 2
    links = argmax_links(given)
    for _ in range(rounds - 1):
        rows, columns = np.any(links, axis=1), np.any(links, axis=0)
        if not given.size or rows.all() or columns.all():
            break
        taken = np.add.outer(rows.astype(int), columns.astype(int))
        factor = np.array([1.0, discount, 0.0])[taken]
        links |= argmax_links(given * factor) & (taken < 2)
    return links


def softmax_links(scores: ArrayLike, threshold: float = 0.001) -> Links:
    """Link two pieces if their softmax probability is above a threshold in both directions.

    Source: Dou and Neubig 2021 (awesome-align), https://arxiv.org/abs/2101.08231, section 2.1. The
    threshold is .001 there, over dot products; AccAlign has .1.

    Args:
        scores: Similarities ``(n, m)``, divided by their temperature.
        threshold: Probability, 0 to 1.
    """
    given = _matrix(scores)
    return (_softmax(given, 1) > threshold) & (_softmax(given, 0) > threshold)


def transport_links(
    scores: ArrayLike, threshold: float = 0.1, regularization: float = 0.1, rounds: int = 50
) -> Links:
    """Link two pieces if enough of the mass of both goes from one to the other at least cost.

    The cost is ``1 - similarity``. Every piece of one side has the same mass, and so has every
    piece of the other side.

    Source: optimal transport as an aligner in Dou and Neubig 2021,
    https://arxiv.org/abs/2101.08231, section 2.1; solved as in `transport_plan`.

    Args:
        scores: Cosines ``(n, m)``.
        threshold: Least share of the mass of each of the two pieces, 0 to 1.
        regularization: As for `transport_plan`.
        rounds: As for `transport_plan`.
    """
    given = _matrix(scores)
    plan = transport_plan(1 - given, regularization, rounds)
    return plan * min(given.shape, default=0) > threshold


def transport_plan(cost: ArrayLike, regularization: float, rounds: int) -> NDArray[np.float64]:
    """Compute the entropic transport plan between uniform masses by Sinkhorn's iterations.

    Source: Cuturi 2013, https://arxiv.org/abs/1306.0895, algorithm 1, in the log domain.

    Args:
        cost: ``(n, m)``.
        regularization: Factor on the entropy, in the unit of the cost; above 0. A small one gives a
            sharp plan and needs more rounds.
        rounds: Number of iterations; the last one makes the columns exact.

    Returns:
        The plan ``(n, m)`` with sum 1.
    """
    given = _matrix(cost)
    if not given.size:
        return np.zeros(given.shape)
    n, m = given.shape
    kernel = -given / regularization
    left, right = np.zeros((n, 1)), np.zeros((1, m))
    for _ in range(rounds):
        left = -np.log(n) - _logsumexp(kernel + right, 1)
        right = -np.log(m) - _logsumexp(kernel + left, 0)
    return np.asarray(np.exp(kernel + left + right))


def word_links(links: ArrayLike, left: Sequence[int], right: Sequence[int]) -> list[Link]:
    """Turn links of pieces into links of words: two words are linked if any pieces of theirs are.

    Args:
        links: Boolean ``(n, m)``.
        left: The word of each piece, ``(n,)``.
        right: The word of each piece, ``(m,)``.

    Returns:
        Pairs of word positions, sorted, each once.
    """
    rows, columns = np.nonzero(np.asarray(links))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return sorted({(int(left[i]), int(right[j])) for i, j in pairs})


def link_counts(
    sure: Collection[Link], possible: Collection[Link], found: Collection[Link]
) -> tuple[int, int, int, int]:
    """Count the found links that are sure, that are sure or possible, all found and all sure links.

    Args:
        sure: Sure links of a sentence pair. They are possible links too.
        possible: Possible links.
        found: Links of a system.
    """
    given, own = set(sure), set(found)
    return len(own & given), len(own & (given | set(possible))), len(own), len(given)


def alignment_error_rate(
    found_sure: ArrayLike, found_possible: ArrayLike, found: ArrayLike, sure: ArrayLike
) -> NDArray[np.float64]:
    """Compute AER from the counts of `link_counts`, summed along the last axis; lower is better.

    ``AER = 1 - (|A and S| + |A and P|) / (|A| + |S|)``. Without any link it is 0.

    Source: Och and Ney 2003, https://aclanthology.org/J03-1002, section 6.1.
    """
    hit = np.asarray(found_sure, float).sum(-1) + np.asarray(found_possible, float).sum(-1)
    total = np.asarray(found, float).sum(-1) + np.asarray(sure, float).sum(-1)
    return 1 - np.divide(hit, total, out=np.ones_like(hit), where=total > 0)


def share(hits: ArrayLike, total: ArrayLike) -> NDArray[np.float64]:
    """Compute the sum of hits over the sum of a total along the last axis; 1 where that is 0.

    Precision is the share of found links that are possible, recall that of sure links found.
    """
    hit = np.asarray(hits, float).sum(-1)
    every = np.asarray(total, float).sum(-1)
    return np.asarray(np.divide(hit, every, out=np.ones_like(hit), where=every > 0))


def middle_layer(depth: int) -> int:
    """Return the layer two thirds up, which aligns words well: 8 of 12, 4 of 6.

    Source: layer 8 of mBERT in Dou and Neubig 2021, https://arxiv.org/abs/2101.08231, section 3.2.
    """
    return max(1, round(2 * depth / 3))


def _matrix(scores: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(scores, dtype=np.float64)
    if given.ndim != 2:
        raise ValueError(f"scores have the shape {given.shape}, not (n, m)")
    return given


def _softmax(scores: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(np.exp(scores - _logsumexp(scores, axis))) if scores.size else scores


def _logsumexp(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    top = values.max(axis, keepdims=True)
    return np.asarray(top + np.log(np.exp(values - top).sum(axis, keepdims=True)))
