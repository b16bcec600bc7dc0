"""Markers: a text is cut and put together again; every fault of a marker is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.integrations.protected.markers import NAMES, Line, template_of
from xadapt.integrations.protected.spans import KINDS

TEXT = """# Two *words* and `code`

- See https://a.org, then `b`.
  1. $x$ is $y$

```py
print("never translated")
```
1 + 1 = 2
"""


def test_the_lines_of_a_text_by_hand():
    template = template_of(TEXT, KINDS)
    assert [line.text for line in template.lines] == [
        "Two *words* and QZ0QZ", "See QZ0QZ, then QZ1QZ.", "QZ0QZ is QZ1QZ",
    ]  # fmt: skip
    assert template.fill(["A", "B", "C"]) == TEXT.replace("Two *words* and `code`", "A").replace(
        "See https://a.org, then `b`.", "B"
    ).replace("$x$ is $y$", "C")


@given(st.lists(st.sampled_from([*"ab1 \n`$|{}[]-#", "QZ", "QZ0QZ", "http://a.b", "x=1", "\r"])))
def test_a_text_comes_back_where_nothing_is_changed(bits):
    text = "".join(bits)
    template = template_of(text, KINDS)
    restored = [line.restore(line.text) for line in template.lines]
    assert not any(fault for _, fault in restored)
    assert template.fill([made for made, _ in restored]) == text
    assert all(
        line.of_pieces(line.pieces()) == line.restore(line.text)[0] for line in template.lines
    )


def test_a_text_that_holds_every_name_gets_another():
    text = " ".join(NAMES) + " and `x`"
    [line] = template_of(text, KINDS).lines
    assert line.restore(line.text) == (text, "") and line.name not in text


LINE = Line("Set QZ0QZ to QZ1QZ", ("`a`", "`b`"), "QZ")
FAULTS = [
    ("Pon QZ0QZ a", "lost '`b`'"),
    ("Pon QZ0QZ QZ1QZ QZ1QZ", "doubled '`b`'"),
    ("Pon QZ0QZ a QZ1QZ QZ2QZ", "invented marker 2"),
    ("Pon QZ0QZ a qz1qz", "lost '`b`'"),
    ("Pon QZ0QZ a QZ1QZ QZ", "left a piece of a marker"),
    ("", "lost '`a`'"),
]


@pytest.mark.parametrize(("said", "fault"), FAULTS)
def test_a_fault_of_a_marker_is_seen(said, fault):
    assert LINE.restore(said) == ("", fault)


def test_markers_may_change_places_and_get_spaces():
    assert LINE.restore("A QZ1QZ pon QZ 0 QZ".replace("QZ 0 QZ", "QZ 0QZ")) == ("A `b` pon `a`", "")
