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


def shown():
    ours, theirs = [1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0]
    columns = {"b": {"m": [theirs], "n": [theirs]}, "a": {"m": [ours], "n": [ours]}}
    return compare(
        "t", "texts", columns, {"m": mean, "n": mean}, base="b", resamples=200
    )  # fmt: skip


def test_a_result_shows_systems_measures_intervals_and_gains():
    result = shown()
    text = repr(result)
    assert text.splitlines()[0] == "t: 4 texts, 95 % intervals"
    assert "gain: paired difference over b" in text and len(text.splitlines()) == 8
    score, gain = result["a"].scores["m"], result["a"].gains["m"]
    assert str(score) == repr(score) == f".750 [{score.low:.2f}, 1.00]".replace("[0.", "[.")
    assert f"{score}" in text and f"{gain}" in text and str(gain).startswith("+.250 [")
    html = result._repr_html_()
    assert html.count("<tr>") == 5 and str(score) in html
    assert repr(result["b"]).splitlines()[0].split() == ["system", "measure", "score"]


def test_a_frame_has_one_row_for_each_system_and_measure():
    result = shown()
    frame = result.to_pandas()
    assert list(frame["system"]) == ["b", "b", "a", "a"] and list(frame["measure"]) == list("mnmn")
    assert list(frame["score"]) == [0.5, 0.5, 0.75, 0.75]
    last, gain = frame.iloc[-1], result["a"].gains["n"]
    assert (last["gain"], last["gain_low"], last["p"]) == (gain.mean, gain.low, gain.p)
    assert frame["gain"].isna().tolist() == [True, True, False, False]


def test_a_picture_of_a_result_has_every_interval():
    from matplotlib.figure import Figure

    result = shown()
    axes = result.plot(Figure().subplots())
    drawn = {tuple(map(float, line.get_xdata())) for line in axes.lines}
    assert all((s.low, s.high) in drawn for row in result.rows for s in row.scores.values())
    assert [text.get_text() for text in axes.get_yticklabels()] == ["b", "a"]
