from __future__ import annotations

import numpy as np
import pytest

from xadapt.evaluation.comparison import compare


def mean(values):
    return values.mean(-1)


def test_rows_gains_and_json():
    ours, theirs = [1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0]
    result = compare(
        "t",
        "texts",
        {"b": {"m": [theirs]}, "a": {"m": [ours]}},
        {"m": mean},
        details={"a": {"x": 0.5}},
        base="b",
        resamples=200,
    )
    assert result["a"].scores["m"].mean == 0.75 and result["b"].scores["m"].mean == 0.5
    assert result["a"].gains["m"].mean == pytest.approx(0.25) and result["b"].gains == {}
    assert result["a"].gains["m"].low >= 0  # paired: no sample can make it worse
    assert (result.count, result.measures, result.task) == (4, ("m",), "t")
    told = result.to_dict()
    assert [row["system"] for row in told["rows"]] == ["b", "a"]
    assert told["rows"][1]["details"] == {"x": 0.5} and told["options"]["base"] == "b"


def test_systems_that_say_the_same_differ_by_nothing():
    values = np.random.default_rng(0).normal(size=30)
    result = compare("t", "rows", {n: {"m": [values]} for n in "ab"}, {"m": mean}, base="a")
    gain = result["b"].gains["m"]
    assert (gain.mean, gain.low, gain.high, gain.p) == (0, 0, 0, 1)
