from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.evaluation.tagging import MAJORITY, evaluate

ROWS = [
    TaggedSentence(("a", "b", "c"), ((0, 2, "PER"),), "en"),
    TaggedSentence(("d", "e"), ((0, 1, "LOC"), (1, 2, "PER")), "en"),
    TaggedSentence(("f", "g"), (), "en"),
]
GOLD = [["B-PER", "I-PER", "O"], ["B-LOC", "B-PER"], ["O", "O"]]


def test_micro_f1_by_hand():
    said = [["B-PER", "O", "O"], ["B-LOC", "B-LOC"], ["O", "B-PER"]]
    result = evaluate(ROWS, {"x": said, "gold": GOLD}, "bio", base="x", resamples=50)
    # found 4 spans, wanted 3, one right: a part of a span and a wrong type are no hits
    assert result["x"].score.mean == pytest.approx(2 * 1 / (4 + 3))
    assert result["x"].by_type == {"LOC": pytest.approx(2 / 3), "PER": 0.0}
    assert result["gold"].score.mean == 1 and result["gold"].gain.mean == pytest.approx(5 / 7)
    assert result[MAJORITY].score.mean == 0 and result["x"].gain is None
    assert (result.measure, result.sentences, result.words) == ("f1", 3, 7)
    assert result.to_dict()["rows"][1]["gain"]["mean"] == pytest.approx(5 / 7)


def test_accuracy_by_hand():
    rows = [
        TaggedSentence(("a", "b", "c"), ((0, 1, "X"), (1, 2, "Y"), (2, 3, "X")), "en"),
        TaggedSentence(("d",), ((0, 1, "Y"),), "en"),
    ]
    result = evaluate(rows, {"m": [["X", "X", "X"], ["Y"]]}, "word", resamples=50)
    assert result.measure == "accuracy" and result["m"].score.mean == 3 / 4
    assert result[MAJORITY].score.mean == 2 / 4  # a tie: X stands first
    assert result["m"].by_type == {"X": pytest.approx(4 / 5), "Y": pytest.approx(2 / 3)}


def test_no_span_anywhere_is_no_division_by_zero():
    result = evaluate([ROWS[2]], {"m": [["O", "O"]]}, "bio", resamples=20)
    assert result["m"].score.mean == 0 and result["m"].by_type == {}


def test_wrong_lengths_and_nothing_are_refused():
    with pytest.raises(UserError, match="one label a word"):
        evaluate(ROWS, {"m": [["O"], ["O", "O"], ["O"]]}, "bio")
    with pytest.raises(UserError, match="no sentences"):
        evaluate([], {}, "bio")
