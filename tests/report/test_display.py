from __future__ import annotations

import re

import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from xadapt.core.errors import UserError
from xadapt.report.display import Displayed, Listing
from xadapt.report.table import Bar, Table


class Shown(Displayed):
    def __init__(self, bars=(), rows=(("a", 1),)):
        self.bars, self.rows = list(bars), rows

    def to_dict(self):
        return {}

    def _table(self):
        return Table(("name", "value"), self.rows, "Title")

    def _bars(self):
        return self.bars


@pytest.fixture
def closed():
    """No figure of pyplot is left open."""
    before = pyplot.get_fignums()
    yield
    for number in set(pyplot.get_fignums()) - set(before):
        pyplot.close(number)


def test_one_table_gives_text_html_and_frame() -> None:
    shown = Shown(rows=(("a", 1), ("b", 2)))
    assert repr(shown) == str(shown)
    assert [line.split() for line in repr(shown).splitlines() if "─" not in line] == [
        ["Title"], ["name", "value"], ["a", "1"], ["b", "2"]
    ]  # fmt: skip
    assert re.findall(r"<td[^>]*>([^<]*)</td>", shown._repr_html_()) == ["a", "1", "b", "2"]
    assert shown.to_pandas().to_dict("list") == {"name": ["a", "b"], "value": [1, 2]}


BARS = (Bar("base", "F1", 0.4, 0.3, 0.5), Bar("module", "F1", 0.6, 0.55, 0.65))


def test_a_picture_has_each_value_and_its_interval(closed) -> None:
    axes = Shown(BARS).plot()
    lines = [tuple(map(float, line.get_xdata())) for line in axes.lines if len(line.get_xdata())]
    assert {(0.3, 0.5), (0.4,), (0.55, 0.65), (0.6,)} <= set(lines)
    assert [text.get_text() for text in axes.texts] == [".400", ".600"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["base", "module"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first system is above
    axes.figure.canvas.draw()


def test_two_measures_of_one_system_stand_apart(closed) -> None:
    axes = Shown([*BARS, Bar("base", "EM", 0.2), Bar("module", "EM", 0.1)]).plot()
    dots = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert len({float(line.get_ydata()[0]) for line in dots}) == 4
    assert len({line.get_color() for line in dots}) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["F1", "EM"]


def test_the_axes_of_the_caller_are_used_and_nothing_else_is_opened() -> None:
    before, figure = pyplot.get_fignums(), Figure(figsize=(3, 2))
    axes = figure.subplots()
    assert Shown(BARS).plot(axes) is axes and pyplot.get_fignums() == before
    assert tuple(figure.get_size_inches()) == (3, 2)


def test_a_result_without_numbers_says_so_and_leaves_no_figure() -> None:
    before = pyplot.get_fignums()
    with pytest.raises(UserError, match="Shown has no numbers to draw"):
        Shown().plot()
    with pytest.raises(UserError, match="no numbers"):
        Listing("things", []).plot()
    assert pyplot.get_fignums() == before


def test_a_dollar_in_a_name_is_no_formula(closed) -> None:
    axes = Shown([Bar("5$ and 6$", "x_$", 0.5)]).plot()
    axes.figure.canvas.draw()
    assert axes.get_yticklabels()[0].get_text() == "5$ and 6$"


def test_an_empty_listing() -> None:
    empty = Listing("things", [])
    assert not list(empty) and "lora" not in empty and len(empty) == 0
    assert repr(empty) == "0 things" and "0 things" in empty._repr_html_()
    assert empty.to_dict() == {"things": []} and len(empty.to_pandas()) == 0
