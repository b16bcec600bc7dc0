from __future__ import annotations

import numpy as np
from extending.metric.worst_class import Part

from xadapt.data.records import LabelledText

ROWS = [LabelledText("t", label, "de") for label in "aaab"]


def test_the_least_recall_by_hand():
    columns = Part().columns(ROWS, ["a", "a", "b", "b"])
    both = [np.stack([column, column[[0, 1, 2, 2]]]) for column in columns]
    # a: 2 of 3, b: 1 of 1; the second sample has no b, and a is found in 2 of 4
    assert Part().statistic(*both).tolist() == [2 / 3, 2 / 4]
