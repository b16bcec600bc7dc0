"""Matthews correlation of classes, which a system that always gives one class can't raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.data.records import LabelledText
from xadapt.evaluation.metrics.protocol import Metric


class MatthewsCorrelation(Metric):
    """Correlation of right and predicted classes, -1 to 1; 0 where either has one class only.

    Source: Gorodkin 2004, Comparing two K-category assignments by a K-category correlation
    coefficient, Computational Biology and Chemistry 28, R_K.
    """

    name: ClassVar[str] = "matthews"
    task: ClassVar[str] = "classification"

    def columns(
        self, rows: Sequence[LabelledText], predictions: Sequence[str]
    ) -> Sequence[NDArray[np.int64]]:
        """Return the right class and the predicted class of each text, as numbers."""
        gold = [row.label for row in rows]
        number = {label: i for i, label in enumerate(sorted({*gold, *predictions}))}
        return [np.array([number[label] for label in own]) for own in (gold, predictions)]

    def statistic(self, *columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute R_K from the counts of classes, ``(samples,)``."""
        gold, found = columns
        size = gold.shape[-1]
        right = (gold == found).sum(-1)
        both, own, other = (np.zeros(gold.shape[:-1]) for _ in range(3))
        for label in range(int(max(gold.max(), found.max())) + 1):
            of_gold, of_found = (gold == label).sum(-1), (found == label).sum(-1)
            both += of_gold * of_found
            own += of_gold**2
            other += of_found**2
        below = np.sqrt((size**2 - own) * (size**2 - other))
        return np.divide(right * size - both, below, out=np.zeros_like(below), where=below > 0)


Part = MatthewsCorrelation
