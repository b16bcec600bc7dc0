from __future__ import annotations

import re

from tiny_reports import swahili

from xadapt.report import BASE, LANGUAGE_SIDE, Example, Heat, Score
from xadapt.report.panels import examples_html, found_first, heat_html, scores_html, text_of


def test_bars_are_as_long_as_the_scores_and_ranges_as_wide_as_the_intervals():
    page = scores_html(swahili(scores=[Score(LANGUAGE_SIDE, "to_pivot", 0.634, 0.57, 0.7)]))
    assert 'class="bar" style="width:63.40%"' in page
    assert 'class="range" style="left:57.00%;width:13.00%"' in page
    assert "<b>63 %</b> <small>57 to 70</small>" in page


def test_the_module_is_marked_and_a_control_is_not():
    page = scores_html(
        swahili(scores=[Score(BASE, "to_pivot", 0.1), Score(LANGUAGE_SIDE, "to_pivot", 0.2)])
    )
    marked = re.findall(r'<li class="is-module"><span class="name">([^<]*)', page)
    assert marked == [LANGUAGE_SIDE]
    assert '"range"' not in page


def test_each_direction_has_its_own_bars():
    page = scores_html(swahili())
    first, second = page.split("English → Swahili")
    assert "Swahili → English" in first
    assert (first.count("<li"), second.count("<li")) == (5, 2)
    assert scores_html(swahili(scores=[])) == ""


def test_unbounded_measures_keep_decimals():
    page = scores_html(swahili(measure="mrr", scores=[Score(BASE, "to_pivot", 0.5, 0.25, 0.75)]))
    assert "<b>0.500</b> <small>0.25 to 0.75</small>" in page


def test_heat_depths_share_one_scale_and_marks_stand_where_they_should():
    heat = Heat(["a", "b"], ["c", "d"], [[0.2, 0.4], [0.5, 0.3]], [[1.0, 0.0], [0.1, 0.9]])
    page = heat_html(heat, "sw", "en")
    cells = re.findall(r'<td(?: class="([^"]*)")? style="--v:([\d.]+)" title="([\d.]+)">', page)
    assert cells == [
        ("pair-cell", "0.20", "0.20"),
        ("top", "0.40", "0.40"),
        ("top", "0.50", "0.50"),
        ("pair-cell", "0.30", "0.30"),
        ("pair-cell top", "1.00", "1.00"),
        ("", "0.00", "0.00"),
        ("", "0.10", "0.10"),
        ("pair-cell top", "0.90", "0.90"),
    ]
    assert "for 0 of these 2 items before, 2 after" in page
    assert "0.00 <i></i> 1.00" in page


def test_a_tie_is_no_find_and_flat_or_empty_maps_are_drawn():
    assert found_first([[1, 1], [0, 1]]) == 1
    assert found_first([[1]]) == 1
    assert found_first([[1, 0], [0, 1], [5, 5]]) == 2
    flat = heat_html(Heat(["a"], ["b"], [[0.5]], [[0.5]]), "sw", "en")
    assert flat.count('style="--v:0.00" title="0.50"') == 2
    assert heat_html(Heat([], [], [], []), "sw", "en") == ""


def test_answers_are_marked_by_word_and_sign():
    page = examples_html([Example("Misri", "Spain", "Egypt", "Egypt")], "sw", "en")
    before, after = re.findall(r'<td data-column="(?:Before|After)">(.*?)</td>', page)
    assert "✗" in before
    assert "wrong: " in before
    assert "Spain" in before
    assert "✓" in after
    assert "right: " in after
    assert examples_html([], "sw", "en") == ""


def test_texts_carry_direction_and_language_and_are_escaped():
    assert text_of("مصر", "ar") == '<span dir="auto" lang="ar">مصر</span>'
    assert text_of("<b>", '"x') == '<span dir="auto" lang="&quot;x">&lt;b&gt;</span>'
    heat = Heat(['"><script>'], ["<i>"], [[0.0]], [[1.0]])
    page = heat_html(heat, "ar", "en")
    assert "<script>" not in page
    assert 'title="&quot;&gt;&lt;script&gt;"' in page
