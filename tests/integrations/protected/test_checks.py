"""Checks of finished translations: each fault is put in, and a right translation passes."""

from __future__ import annotations

import pytest

from xadapt.integrations.protected.checks import is_json, kept_fault, line_fault

SOURCE = 'Give `f(x)` for {"a": [1, 2]} from https://a.org: 2 + 2 = 4.\n\n```py\nx = 1\n```'
RIGHT = 'Da `f(x)` para {"a": [1, 2]} de https://a.org: 2 + 2 = 4.\n\n```py\nx = 1\n```'


def test_a_right_translation_passes():
    assert kept_fault(SOURCE, RIGHT) == "" and kept_fault(SOURCE, SOURCE) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("`f(x)`", "`g(x)`", "code is lost"),
        ("`f(x)`", "f(x)", "code is lost"),
        ('"a"', '"un"', "json is lost"),
        ("[1, 2]", "[1, 2", "json is lost"),
        ("https://a.org", "https://a.es", "url is lost"),
        ("2 = 4", "2 = 5", "math is lost"),
        ("x = 1\n", "x = uno\n", "code is lost"),
        ("Da ", "Da `y` ", "more than in the source"),
        ("Da ", "Da https://b.org ", "more than in the source"),
    ],
)
def test_a_changed_part_is_named(old, new, said):
    assert said in kept_fault(SOURCE, RIGHT.replace(old, new))


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("", "nothing came back"),
        ("  ", "nothing came back"),
        ("Una línea\ny otra línea que no estaba", "several"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("Here is the translation: El perro duerme en la casa", "refused"),
        ("El perro", "0.2 times"),
        ("El perro duerme en la casa. " * 9, "times"),
    ],
)
def test_a_line_that_can_not_be_right(said, fault):
    assert fault in line_fault("The dog sleeps in the small house.", said, "es")


def test_a_dense_script_may_be_short_and_a_refusal_may_be_the_text():
    assert line_fault("The dog sleeps in the small house.", "狗睡在小屋里。", "zh-Hans") == ""
    assert line_fault("I'm sorry, it is late.", "I'm sorry, es tarde.", "es") == ""


def test_json():
    assert is_json('{"a": 1}') and not is_json("{'a': 1}") and not is_json("[" * 100_000)
