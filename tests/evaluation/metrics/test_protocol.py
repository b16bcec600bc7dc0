from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.evaluation.metrics.protocol import Metric, find, with_metrics
from xadapt.tasks.classification import MAJORITY
from xadapt.tasks.classification import Part as CLASSIFICATION

ROWS = [LabelledText(t, label, "de") for t, label in zip("abcd", "xxyz", strict=True)]
SYSTEMS = {"a": ["x", "y", "y", "z"], "b": ["x", "x", "y", "z"]}


class Errors(Metric):
    name, task = "errors", "classification"

    def columns(self, rows, predictions):
        return [
            np.array([row.label != own for row, own in zip(rows, predictions, strict=True)]) * 1.0
        ]


class Wrong(Errors):
    def columns(self, rows, predictions):
        return [np.zeros(len(rows) + 1)]


def test_every_system_gets_the_metric_with_intervals_and_gains():
    result = CLASSIFICATION.evaluate(ROWS, SYSTEMS, base="a", resamples=50)
    every = {**SYSTEMS, **CLASSIFICATION.baselines(ROWS)}
    more = with_metrics(result, [Errors()], ROWS, every)
    assert more.measures == ("accuracy", "macro f1", "errors")
    for row in more.rows:
        accuracy, errors = row.scores["accuracy"], row.scores["errors"]
        assert errors.mean == pytest.approx(1 - accuracy.mean)
        assert errors.low == pytest.approx(1 - accuracy.high)
    assert more["b"].gains["errors"].mean == -more["b"].gains["accuracy"].mean == -1 / 4
    assert more[MAJORITY].scores["errors"].mean == 1 / 2
    assert with_metrics(result, [], ROWS, every) is result


def test_a_metric_gives_one_number_a_record():
    result = CLASSIFICATION.evaluate(ROWS, SYSTEMS, resamples=5)
    every = {**SYSTEMS, **CLASSIFICATION.baselines(ROWS)}
    with pytest.raises(UserError, match=r"'errors' gives \(5,\) for 4 records"):
        with_metrics(result, [Wrong()], ROWS, every)


def test_a_metric_is_of_one_task():
    assert find("matthews", "classification").name == "matthews"
    with pytest.raises(UserError, match="scores classification, not sts"):
        find("matthews", "sts")
    with pytest.raises(UserError, match="did you mean 'matthews'"):
        find("mathews", "classification")
