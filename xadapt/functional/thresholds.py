"""Thresholds of labels: from which probability on a label is given."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Choice = Literal["one", "per_label"]
HALF = 0.5


def choose_thresholds(
    probabilities: NDArray[np.float32], gold: NDArray[np.bool_], choice: Choice
) -> list[float]:
    """Choose the threshold of each label that gives the best F1.

    Source: Lipton, Elkan and Naryanaswamy 2014, https://arxiv.org/abs/1402.1892.

    Args:
        probabilities: ``(n, labels)``.
        gold: Whether a text has a label, ``(n, labels)``.
        choice: ``one`` takes one threshold for all labels, by micro F1. ``per_label`` takes one for
            each label, by its own F1; a label that no text has keeps 0.5.
    """
    labels = probabilities.shape[1]
    if choice == "one":
        return [best_threshold(probabilities.reshape(-1), gold.reshape(-1))] * labels
    return [best_threshold(probabilities[:, i], gold[:, i]) for i in range(labels)]


def best_threshold(probabilities: NDArray[np.float32], gold: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1: all probabilities from it on are given.

    It lies in the middle between two neighbouring probabilities. Among equals it is the one nearest
    to 0.5.

    Args:
        probabilities: ``(n,)``.
        gold: ``(n,)``.

    Returns:
        0.5 if ``gold`` is false everywhere.
    """
    if not gold.any():
        return HALF
    order = np.argsort(-probabilities, kind="stable")
    sorted_, right = probabilities[order].astype(np.float64), np.cumsum(gold[order])
    last = np.append(sorted_[1:] < sorted_[:-1], True)  # equal probabilities go together
    given = np.arange(1, len(sorted_) + 1)
    f1 = np.where(last, 2 * right / (given + gold.sum()), -1.0)
    thresholds = (sorted_ + np.append(sorted_[1:], 0.0)) / 2
    best = np.flatnonzero(f1 == f1.max())
    return float(thresholds[best[np.abs(thresholds[best] - HALF).argmin()]])
