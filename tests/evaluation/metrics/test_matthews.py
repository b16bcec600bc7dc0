from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from xadapt.data.records import LabelledText
from xadapt.evaluation.metrics.matthews import Part


def test_two_classes_by_hand():
    """Right xxyy, predicted xyyy: tp 1, fn 1, fp 0, tn 2 gives 2 / sqrt(1 * 2 * 2 * 3)."""
    rows = [LabelledText("t", label, "de") for label in "xxyy"]
    columns = [own[None] for own in Part().columns(rows, list("xyyy"))]
    assert Part().statistic(*columns)[0] == pytest.approx(2 / 12**0.5)
    constant = [own[None] for own in Part().columns(rows, list("xxxx"))]
    assert Part().statistic(*constant)[0] == 0


def test_it_is_that_of_scikit_learn_row_by_row():
    gold, found = np.random.default_rng(0).integers(0, 4, size=(2, 5, 60))
    own = Part().statistic(gold, found)
    assert own == pytest.approx(
        [matthews_corrcoef(*both) for both in zip(gold, found, strict=True)]
    )
