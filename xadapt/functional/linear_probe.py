"""A linear probe: the least-squares map from states to labels, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

RIDGE = 1e-3
LEAST_SCALE = 1e-6
"""A feature that varies less than this is constant, and counts for nothing."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear map from states to one score a label, fitted by ridge regression.

    Features are standardised. The targets are 1 for the right label and 0 for the others; the
    intercept is their mean. The fit has no random part.

    Source: a linear classifier on frozen states as a probe is from Alain and Bengio 2016,
    https://arxiv.org/abs/1610.01644. They train it by gradient steps on the cross-entropy.

    Attributes:
        labels: The labels, in their order.
        weight: ``(features, labels)``.
        bias: ``(labels,)``.
    """

    labels: tuple[str, ...]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(cls, states: NDArray[np.floating], labels: Sequence[str], ridge: float = RIDGE) -> Self:
        """Fit a probe.

        Args:
            states: ``(n, features)``, one row or more.
            labels: The label of each row.
            ridge: Factor on the squared weights, beside the mean squared error.

        Raises:
            ValueError: If there are no rows, or the labels are not one a row.
        """
        if not len(states) or len(states) != len(labels):
            raise ValueError(f"{len(labels)} labels for {len(states)} states")
        known = tuple(sorted(set(labels)))
        number = {label: i for i, label in enumerate(known)}
        right = np.eye(len(known))[[number[label] for label in labels]]
        values = np.asarray(states, dtype=np.float64)
        mean, spread = values.mean(0), values.std(0)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > LEAST_SCALE)
        made = (values - mean) * scale
        share = right.mean(0)
        square = made.T @ made / len(made) + ridge * np.eye(made.shape[1])
        weight = np.linalg.solve(square, made.T @ (right - share) / len(made)) * scale[:, None]
        return cls(known, weight, share - mean @ weight)

    def scores(self, states: NDArray[np.floating]) -> NDArray[np.float64]:
        """Compute one score a label, ``(n, labels)``; the right label's is near 1."""
        return np.asarray(states, dtype=np.float64) @ self.weight + self.bias

    def predict(self, states: NDArray[np.floating]) -> list[str]:
        """Return the label with the greatest score for each row ``(n, features)``."""
        return [self.labels[int(i)] for i in self.scores(states).argmax(1)]
