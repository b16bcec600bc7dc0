from __future__ import annotations

import csv
import io
import math

from matplotlib.figure import Figure

from xadapt.pipelines.study import FAILED, FINISHED, STOPPED, TunedTrial
from xadapt.pipelines.tuning_result import as_csv, best_of, draw, rows_of, short_names

TRIALS = (
    TunedTrial(0, {"train.learning_rate": "0.001"}, FINISHED, 0.5, 10, 1.5, 0.5),
    TunedTrial(1, {"train.learning_rate": "0.01"}, FINISHED, 0.6, 5, 1.5),
    TunedTrial(2, {"train.learning_rate": "0.02"}, STOPPED, 0.7, 5, 1.0),
    TunedTrial(3, {"train.learning_rate": "1.0e+30"}, FAILED, note="not finite, at\nstep 3"),
    TunedTrial(4, {"train.learning_rate": "0.03"}, FINISHED, 0.6, 5, 1.5),
)


def test_the_best_is_the_first_highest_that_was_not_stopped() -> None:
    assert best_of(TRIALS) is TRIALS[1]
    assert best_of(TRIALS[2:4]) is None and best_of(()) is None
    assert best_of([TunedTrial(0, {}, FINISHED, -1.0)]) is not None


def test_rows_and_csv() -> None:
    rows = rows_of(TRIALS)
    assert [row["best"] for row in rows] == [False, True, False, False, False]
    read = list(csv.DictReader(io.StringIO(as_csv(TRIALS))))
    assert [row["train.learning_rate"] for row in read][:2] == ["0.001", "0.01"]
    assert read[3]["score"] == "" and read[3]["note"] == "not finite, at\nstep 3"


def test_names_are_short_where_they_stay_apart() -> None:
    keys = ["train.learning_rate", "objectives.a.weight", "objectives.b.weight"]
    assert short_names(keys) == ["learning_rate", "objectives.a.weight", "objectives.b.weight"]


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
    }


def test_the_picture_has_every_trial_with_a_score_and_the_best_so_far() -> None:
    axes = Figure().subplots()
    draw(axes, TRIALS)
    drawn = lines(axes)
    assert drawn["trial"] == ([0, 1, 4], [0.5, 0.6, 0.6])
    assert drawn["best so far"] == ([0, 1, 4], [0.5, 0.6, 0.6])
    assert drawn["stopped early"] == ([2], [0.7])


def test_a_picture_without_any_score(tmp_path) -> None:
    axes = Figure().subplots()
    draw(axes, [TRIALS[3]])
    assert lines(axes) == {} and math.isfinite(axes.get_ylim()[0])
