"""The experiments of published systems: intervals by hand, and recipes that take their changes."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import objectives
import objectives_tables
import results
import word_alignment


def test_the_interval_of_a_gain_is_students_over_seeds():
    found = objectives.gain([0.5, 0.6, 0.7], [0.4, 0.4, 0.4])
    half = 4.302652729911275 * math.sqrt(0.01 / 3)  # t with two degrees of freedom
    assert found["mean"] == pytest.approx(0.2)
    assert found["high"] - found["mean"] == pytest.approx(half)
    assert found["mean"] - found["low"] == pytest.approx(half)


def test_one_score_of_the_base_stands_for_all_seeds():
    assert objectives.gain([0.5, 0.7], [0.4])["mean"] == pytest.approx(0.2)


def test_one_seed_has_no_interval():
    assert objectives.gain([0.5], [0.4]) == {"mean": pytest.approx(0.1)}


def test_seeds_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        objectives.gain([0.5, 0.7, 0.6], [0.4, 0.5])


def test_a_measured_block_is_written_again_in_its_place(monkeypatch):
    monkeypatch.setattr(objectives_tables, "short", lambda system: f"what {system} gains")
    recipe = "source:\n  url: u\n  # measured: dap\n  # /measured\n  note: n\n"
    once = results.with_measured(recipe, "dap")
    assert "  measured: >\n    what dap gains\n  # /measured\n  note: n\n" in once
    assert results.with_measured(once, "dap") == once


def test_text_without_spaces_is_cut_into_the_longest_words_of_the_dictionary():
    known = {"科学", "科学家", "海洋"}
    assert word_alignment.split("科学家的海洋, 2000!", known) == [
        "科学家", "的", "海洋", ",", "2000", "!",
    ]  # fmt: skip
    assert word_alignment.split("データの海洋", known) == ["データ", "の", "海洋"]
    assert word_alignment.split("It's Here.") == ["it's", "here", "."]


def test_what_joint_training_costs_and_gains_by_hand():
    def took(seconds):
        return [{"processor": seconds, "clock": seconds, "training": seconds}]

    found = {
        "system": "all", "seeds": 1, "about": "It.", "measures": {"a": "x", "b": "y"},
        "scores": {"frozen base": [{"x": 0.0, "y": 0.2}], "all": [{"x": 0.5, "y": 0.3}],
                   "a": [{"x": 0.6, "y": 0.1}], "b": [{"x": 0.0, "y": 0.4}]},
        "seconds": {"all": took(6.0), "a": took(5.0), "b": took(3.0)},
    }  # fmt: skip
    shown = objectives_tables.joint(found)
    assert "| **all** | 0.500 | 0.300 | 0.400 | 6 | 6 |" in shown
    assert "take 0.750 of the processor time" in shown and "by the mean is a;" in shown
    assert "(by seed: +0.050)" in shown
