"""Counts of right and given labels of a multi-label system, and the scores they give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def label_matrix(given: Sequence[Iterable[str]], names: Sequence[str]) -> NDArray[np.bool_]:
    """Return whether each row has each label, ``(n, labels)``; other labels are left out."""
    number = {name: i for i, name in enumerate(names)}
    made = np.zeros((len(given), len(names)), dtype=np.bool_)
    for row, labels in enumerate(given):
        made[row, [number[label] for label in labels if label in number]] = True
    return made


class LabelCounts:
    """What one system's labels give by text and by label.

    Attributes:
        micro: ``(n,)`` each: twice the labels that are right, and all that are right or given.
        exact: Whether all labels of a text are right and no other is given, ``(n,)``.
        right: Labels that are right and given, ``(n, labels)``, 0 or 1.
        given: Labels that are given.
        gold: Labels that are right.
    """

    def __init__(
        self, gold: NDArray[np.bool_], given: NDArray[np.bool_], others: NDArray[np.int64]
    ) -> None:
        right = gold & given
        below = gold.sum(1) + given.sum(1) + others
        self.micro = (2.0 * right.sum(1), below.astype(np.float64))
        self.exact = ((gold == given).all(1) & (others == 0)).astype(np.float64)
        self.right, self.given, self.gold = (one.astype(np.float64) for one in (right, given, gold))

    @classmethod
    def of(
        cls,
        gold: Sequence[Iterable[str]],
        found: Sequence[Iterable[str]],
        names: Sequence[str],
    ) -> LabelCounts:
        """Count the labels of a system; those that no text has are wrong wherever they stand."""
        sets = [set(labels) for labels in found]
        others = np.array([len(own - set(names)) for own in sets], dtype=np.int64)
        return cls(label_matrix(gold, names), label_matrix(sets, names), others)

    def macro(self, drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute the mean F1 of the labels from rows ``(samples, n)``: ``(samples,)``."""
        times = np.stack([np.bincount(row, minlength=drawn.shape[1]) for row in drawn])
        right, below = times @ self.right, times @ (self.gold + self.given)
        found: NDArray[np.float64] = (2 * right / np.maximum(below, 1)).mean(1)
        return found

    def f1s(self, names: Sequence[str]) -> dict[str, float]:
        """Return the F1 of each label."""
        return {name: one["f1"] for name, one in self.by_label(names).items()}

    def by_label(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return precision, recall, F1 and the number of texts of each label."""
        right, given, gold = self.right.sum(0), self.given.sum(0), self.gold.sum(0)
        return {
            name: {
                "precision": float(right[i] / max(given[i], 1)),
                "recall": float(right[i] / max(gold[i], 1)),
                "f1": float(2 * right[i] / max(given[i] + gold[i], 1)),
                "texts": int(gold[i]),
            }
            for i, name in enumerate(names)
        }
