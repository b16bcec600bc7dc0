from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.evaluation.classification import MAJORITY, evaluate, f1s

ROWS = [LabelledText(t, label, "de") for t, label in zip("abcd", "xxyz", strict=True)]


def test_accuracy_and_macro_f1_by_hand():
    result = evaluate(ROWS, {"m": ["x", "y", "y", "other"]}, resamples=50)
    row = result["m"]
    assert row.scores["accuracy"].mean == 2 / 4
    # x: one of two found, nothing else called x; y: found, and one too many; z: never
    assert row.details == {"x": pytest.approx(2 / 3), "y": pytest.approx(2 / 3), "z": 0.0}
    assert row.scores["macro f1"].mean == pytest.approx(4 / 9)
    assert result[MAJORITY].scores["accuracy"].mean == 2 / 4
    assert result[MAJORITY].details["x"] == pytest.approx(2 * 2 / (2 + 4))


def test_f1_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    gold, said = rng.integers(0, 4, size=(2, 60))
    own = f1s(gold[None], said[None], 4)[0]
    assert np.allclose(own, f1_score(gold, said, average=None))


def test_the_difference_is_paired():
    gold = [row.label for row in ROWS]
    result = evaluate(ROWS, {"a": ["q"] * 4, "b": gold}, base="a", resamples=100)
    assert result["b"].gains["accuracy"].mean == result["b"].gains["macro f1"].mean == 1
    assert result["b"].gains["accuracy"].low == 1


def test_mistakes():
    with pytest.raises(UserError, match="no texts"):
        evaluate([], {"m": []})
    with pytest.raises(UserError, match="3 classes for 4"):
        evaluate(ROWS, {"m": ["x"] * 3})
