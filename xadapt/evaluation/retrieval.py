"""Retrieval of translations by position: find the nearest text of the other side.

Two pairs that share a sentence on a side have each other's translation as a right answer, which
accuracy by position would count as wrong. So a later pair that shares one (by
`xadapt.core.text_key.normal_key`) with an earlier pair can be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xadapt.core.text_key import normal_key
from xadapt.data.records import ParallelPair
from xadapt.evaluation.systems import DIRECTIONS, Direction, Encoded, System, similarities
from xadapt.functional import metrics
from xadapt.vectors import matching
from xadapt.vectors.matching import Margin

Found = dict[Direction, dict[Margin, NDArray[np.int64]]]


def first_of_equals(pairs: Sequence[ParallelPair]) -> tuple[NDArray[np.int64], int]:
    """Find the pairs that repeat no sentence of an earlier pair.

    Returns:
        The positions of these pairs ``(kept,)``, and how many of these pairs a later pair repeats.
    """
    owner: dict[tuple[bool, str], int] = {}
    kept: list[int] = []
    repeated: set[int] = set()
    for position, pair in enumerate(pairs):
        keys = ((False, normal_key(pair.text)), (True, normal_key(pair.pivot)))
        earlier = {owner[key] for key in keys if key in owner}
        if earlier:
            repeated.add(min(earlier))
            continue
        kept.append(position)
        owner.update(dict.fromkeys(keys, position))
    return np.asarray(kept, dtype=np.int64), len(repeated)


def nearest_by_margin(
    similarity: matching.Similarity, margins: Sequence[Margin], k: int = 4
) -> Found:
    """Find the best match of each row in both directions, by each margin and by plain cosine.

    Args:
        similarity: Scores ``(n, n)`` of texts and pivots.
        margins: LASER's margins; ``absolute``, the plain cosine, is always among the results.
        k: Number of neighbours that a margin uses; cut to ``n``.
    """
    ways = matching.top_both(similarity, k)
    wanted: tuple[Margin, ...] = ("absolute", *margins)
    return {
        direction: {
            margin: matching.margin_best(there, back, margin).indices[:, 0] for margin in wanted
        }
        for direction, there, back in zip(DIRECTIONS, ways, reversed(ways), strict=True)
    }


def correct(found: Found) -> dict[Direction, NDArray[np.float64]]:
    """Mark, by direction, the rows with the right nearest neighbour by cosine: 1 or 0, ``(n,)``.

    The right nearest neighbour of a row is its own translation.
    """
    return {way: metrics.correct(found[way]["absolute"]) for way in DIRECTIONS}


def accuracy_of_pairs(
    pairs: Sequence[ParallelPair], systems: Mapping[str, System]
) -> dict[str, NDArray[np.float64]]:
    """Compute the retrieval accuracy of each pair, the mean of both directions.

    Pairs that repeat a sentence of an earlier pair are left out.

    Args:
        pairs: Translation pairs.
        systems: The systems by name.

    Returns:
        By system ``(kept pairs,)``: 0, 0.5 or 1.

    Raises:
        UserError: If a system gives NaN or the wrong shape.
    """
    kept, _ = first_of_equals(pairs)
    chosen = [pairs[position] for position in kept]
    encoded = Encoded([pair.text for pair in chosen], [pair.pivot for pair in chosen])
    scores = similarities(encoded, systems, control=False)
    return {
        name: np.mean(list(correct(nearest_by_margin(score, ())).values()), axis=0)
        for name, score in scores.items()
    }
