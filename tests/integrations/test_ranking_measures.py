from __future__ import annotations

import math
import sys

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.ranking_measures import measure_rankings

FOUND = {"q1": ["b", "a", "c"], "q2": ["a", "c"], "q3": ["b"]}
RIGHT = {"q1": {"a": 1, "c": 1}, "q2": {"a": 1}, "q3": {"z": 1}, "unasked": {"a": 1}}


def test_measures_equal_those_computed_by_hand():
    pytest.importorskip("ir_measures")
    found = measure_rankings(FOUND, RIGHT)
    assert found["RR"] == {"q1": 0.5, "q2": 1.0, "q3": 0.0}
    assert found["Success@1"] == {"q1": 0.0, "q2": 1.0, "q3": 0.0}
    assert found["Success@10"] == {"q1": 1.0, "q2": 1.0, "q3": 0.0}
    gain = 1 / math.log2(3) + 1 / math.log2(4)
    assert found["nDCG@10"]["q1"] == pytest.approx(gain / (1 + 1 / math.log2(3)))


def test_what_can_not_be_measured_is_one_line(monkeypatch):
    pytest.importorskip("ir_measures")
    with pytest.raises(UserError, match="no question"):
        measure_rankings(FOUND, {"unasked": {"a": 1}})
    with pytest.raises(UserError, match="unknown measure"):
        measure_rankings(FOUND, RIGHT, ["nonsense@3"])
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(UserError, match=r"xadapt\[retrieval\]"):
        measure_rankings(FOUND, RIGHT)
