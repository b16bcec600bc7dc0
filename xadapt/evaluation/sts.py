"""Semantic textual similarity: how well scores of pairs go with those people gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from xadapt.core.errors import UserError
from xadapt.data.records import ScoredPair
from xadapt.evaluation import tfidf
from xadapt.evaluation.comparison import Result, compare

TASK = "sts"


def evaluate(
    pairs: Sequence[ScoredPair],
    systems: Mapping[str, NDArray[np.float32]],
    *,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare the scores that systems give pairs with the right ones.

    The last row is the TF-IDF cosine of the two texts. Where all right scores are equal, or all of
    a system's, the correlation counts as 0.

    Args:
        pairs: The pairs with their scores.
        systems: By name, one number a pair ``(n,)``, of any scale.
        base: The system the others are compared with.
        resamples: Of the bootstrap over pairs.
        seed: Of the bootstrap.

    Raises:
        UserError: There are no pairs, or a system's scores are not one finite number a pair.
    """
    gold = np.array([pair.score for pair in pairs])
    if not len(gold):
        raise UserError("there are no pairs to evaluate on")
    every = {**systems, tfidf.NAME: control(pairs)}
    for name, scores in every.items():
        if scores.shape != gold.shape or not np.isfinite(scores).all():
            raise UserError(f"{name} does not give one finite score a pair")
    return compare(
        TASK,
        "pairs",
        {
            name: dict.fromkeys(("spearman", "pearson"), (gold, scores.astype(np.float64)))
            for name, scores in every.items()
        },
        {"spearman": spearman, "pearson": pearson},
        base=base,
        resamples=resamples,
        seed=seed,
    )


def control(pairs: Sequence[ScoredPair]) -> NDArray[np.float32]:
    """The TF-IDF cosine of each pair's texts, ``(n,)``."""
    found = tfidf.similarity([pair.left for pair in pairs], [pair.right for pair in pairs])
    return np.asarray(found.queries.multiply(found.pool).sum(axis=1), np.float32).reshape(-1)


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each two rows of ``(n, dim)``: ``(n,)``; 0 where one is all zero."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found: NDArray[np.float32] = (left * right).sum(1) / np.maximum(lengths, 1e-12)
    return found


def pearson(gold: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's correlation along the last axis, 0 where one side is constant."""
    ours = gold - gold.mean(-1, keepdims=True)
    theirs = said - said.mean(-1, keepdims=True)
    spread = np.sqrt((ours**2).sum(-1) * (theirs**2).sum(-1))
    above = (ours * theirs).sum(-1)
    found: NDArray[np.float64] = np.divide(
        above, spread, out=np.zeros_like(above), where=spread > 1e-12
    )
    return found


def spearman(gold: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlation along the last axis: Pearson's of ranks, equals sharing their mean."""
    return pearson(rankdata(gold, axis=-1), rankdata(said, axis=-1))
