"""Scores: what is one, and pairs below a threshold."""

from __future__ import annotations

import pytest

from xadapt.data.readers.notes import Notes, RowError
from xadapt.data.readers.scores import LowScores, is_number, is_score, named_score, score_of


def test_what_a_score_is():
    assert all(map(is_score, ["1.25", "-0.5", ".5", "1.0e-3", " 2.0 "]))
    assert not any(map(is_score, ["12", "", "1.2.3", "nan", "x.1", "1,5"]))
    assert is_number("12") and not is_number("twelve")
    assert named_score(["en", "de", "LASER_score"]) == 2 and named_score(["en"]) is None


@pytest.mark.parametrize("value", ["high", "", None, True, float("nan"), [1.0]])
def test_what_is_no_number_is_a_fault_of_its_row(value):
    with pytest.raises(RowError, match="is no number") as caught:
        score_of(value, "f:3")
    assert caught.value.where == "f:3"
    assert score_of("1.5", "") == score_of(1.5, "") == 1.5


def test_low_scores_are_counted():
    low, notes = LowScores(1.0), Notes()
    rows = [(1, ["1.5", "a"]), (2, ["0.5", "b"]), (3, [""]), (4, ["1.0", "c"]), (5, ["x", "d"])]
    kept = list(low.left_out(rows, 0, "a.tsv"))
    assert [row[0] for row in kept if not isinstance(row, RowError)] == [1, 4]
    assert len(kept) == 3
    low.tell("a.tsv", notes)
    assert notes.lines == ["a.tsv: 1 of 3 pairs with a score below 1 are left out"]
