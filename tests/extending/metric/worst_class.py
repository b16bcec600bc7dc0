"""The recall of the class that is found least often."""

from __future__ import annotations

import numpy as np

from xadapt.evaluation.metrics.protocol import Metric


class WorstClass(Metric):
    """Recall of the right class whose texts are recognised least, 0 to 1."""

    name, task = "worst_class", "classification"

    def columns(self, rows, predictions):
        """The right class of each text as a number, and whether it was found."""
        gold = [row.label for row in rows]
        number = {label: i for i, label in enumerate(sorted(set(gold)))}
        hits = [label == own for label, own in zip(gold, predictions, strict=True)]
        return [np.array([number[label] for label in gold]), np.array(hits)]

    def statistic(self, *columns):
        """The least of the recalls; a class that a resample lacks does not count."""
        gold, hits = columns
        recalls = []
        for label in range(gold.max() + 1):
            count = (gold == label).sum(-1)
            found = ((gold == label) & hits).sum(-1)
            recalls.append(np.where(count > 0, found / np.maximum(count, 1), np.inf))
        return np.min(recalls, axis=0)


Part = WorstClass
