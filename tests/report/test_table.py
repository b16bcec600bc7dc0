from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.report.table import (
    MOST_ROWS,
    WIDTH,
    Table,
    as_html,
    as_text,
    cell_text,
    number,
    with_interval,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4124, ".412"), (-0.05, "-.050"), (1, "1.000"), (10.25, "10.250"), (0, ".000"),
     (-0.0001, "-.000"), (100.0, "100.000"), (float("nan"), "nan"), (float("inf"), "inf")],
)  # fmt: skip
def test_a_number_has_no_zero_before_its_point(value: float, text: str) -> None:
    assert number(value) == text


def test_intervals() -> None:
    assert with_interval(0.412, 0.378, 0.441) == ".412 [.38, .44]"
    assert with_interval(0.102, -0.0812, 0.124, sign=True) == "+.102 [-.081, +.124]"
    assert with_interval(1, 1, 1) == "1.000 [1.00, 1.00]"


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), (True, "yes"), (False, "no"), (0.0008123, "0.0008123"), (3, "3"), ("x", "x"),
     (("a", 2), "a, 2"), (1e-5, "1e-05")],
)  # fmt: skip
def test_cells(cell: object, text: str) -> None:
    assert cell_text(cell) == text


def test_numbers_stand_on_the_right_and_texts_on_the_left() -> None:
    table = Table(("system", "score", "gain"), (("base", ".41 [.3, .5]", None), ("m", ".5", "+1")))
    assert table.shown().sides() == ["left", "right", "right"]
    html = as_html(table)
    assert html.count("text-align:right") == 2 * 3 and html.count("text-align:left") == 3


def test_a_long_table_is_cut_and_says_so() -> None:
    table = Table(("n",), tuple((n,) for n in range(MOST_ROWS + 7)), notes=("note",))
    for text in (as_text(table), as_html(table)):
        assert "7 more rows: see to_pandas()" in text and "note" in text
        assert str(MOST_ROWS) not in text
    first = Table(("n",), ((1,),), total=1_000_001)
    assert "1,000,000 more rows" in as_text(first)


def test_html_of_any_text_is_escaped() -> None:
    evil = "<script>alert('x')</script>&\""
    html = as_html(Table((evil,), ((evil,),), evil, (evil,)))
    assert "<script" not in html and html.count("&lt;script&gt;") == 4


def test_brackets_are_no_markup() -> None:
    text = as_text(Table(("[red]a",), (("[/bold] [x]",), ("[link=y]z",)), "[b]t"))
    assert all(part in text for part in ("[red]a", "[/bold] [x]", "[link=y]z", "[b]t"))
    assert "\x1b" not in text


@given(
    st.lists(
        st.tuples(st.text(max_size=150), st.none() | st.floats() | st.integers() | st.text()),
        max_size=5,
    )
)
def test_any_cells_make_a_text_and_html(rows) -> None:
    table = Table(("a", "b"), tuple(rows), "t")
    assert as_text(table).startswith("t") and "<table" in as_html(table)


def test_a_text_is_at_most_so_wide() -> None:
    words = "many words " * 40
    lines = as_text(Table(("name", "about"), (("a", words), ("b", words)))).splitlines()
    assert max(map(len, lines)) <= WIDTH and len(lines) > 8
