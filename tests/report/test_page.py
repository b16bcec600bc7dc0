from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_reports import report, swahili

from xadapt.core.errors import UserError
from xadapt.report import (
    BASE,
    LANGUAGE_SIDE,
    Example,
    LanguageResult,
    Report,
    Score,
    headline,
    render,
    write_report,
)

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Checks that every element is closed in order, and keeps what stands where."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(tag, attrs)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self._attributes(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.text += data

    def _attributes(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "href", "xlink:href", "data", "action", "srcset"}:
                (self.links if value.startswith("#") else self.fetched).append(value)
            assert not name.startswith("on")


def test_the_page_parses_fetches_nothing_and_runs_nothing():
    text = render(report(swahili(), swahili(name="Congo Swahili")))
    page = Page(text)
    assert page.fetched == []
    assert not {"script", "link", "iframe", "img", "base"} & set(page.tags)
    assert "default-src 'none'" in text
    assert re.search(r"https?:", text) is None
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_everything_given_stands_on_the_page():
    page = Page(render(report(swahili())))
    shown = page.text.replace("\N{NO-BREAK SPACE}", " ")
    for expected in (
        "names of the world",
        headline(swahili()),
        "589,824",
        "Hits@1 on entities never seen. Each is looked up among 200 candidates",
        "63 %",
        "57 to 70",
        "shuffled-pairs control",
        "Both sides: it is on for English too. The line over a bar is the 95 % interval.",
        "A small module was trained here.",
        "Examples: drawn evenly",
        "Misri",
        "✗",
        "xadapt train --help",
        "distillation",
        "best: 0.500 at step 20",
        'model.load_adapter("out/sw", set_active=True)',
        "running text was not measured",
        "xadapt quickstart --lang sw",
    ):
        assert expected in shown, expected
    assert page.tags.count("svg") == 2


def test_what_is_not_there_leaves_no_empty_section():
    page = Page(render(Report("nothing yet")))
    assert page.text.split() == ["nothing", "yet"]
    assert not {"section", "svg", "table", "ul", "dl", "pre"} & set(page.tags)
    bare = Page(render(report(swahili(scores=[], examples=[]))))
    assert "Swahili: the module was not measured." in bare.text
    assert "95" not in bare.text


def test_a_link_from_the_headline_always_has_its_section():
    empty = swahili(scores=[], examples=[])
    page = Page(render(report(empty, swahili())))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_without_intervals_no_interval_is_explained():
    scores = [Score(LANGUAGE_SIDE, "to_pivot", 0.5)]
    assert "interval" not in Page(render(Report("r", languages=[swahili(scores=scores)]))).text


def section(result):
    """The part of the page below the header, with the white space between elements removed."""
    return re.sub(r">\n\s*<", "><", render(report(result)).split("</header>")[1])


def test_bars_are_as_long_as_the_scores_and_ranges_as_wide_as_the_intervals():
    page = section(swahili(scores=[Score(LANGUAGE_SIDE, "to_pivot", 0.634, 0.57, 0.7)]))
    assert 'class="bar" style="width:63.40%"' in page
    assert 'class="range" style="left:57.00%;width:13.00%"' in page
    assert "<b>63 %</b> <small>57 to 70</small>" in page


def test_the_module_is_marked_and_a_control_is_not():
    scores = [Score(BASE, "to_pivot", 0.1), Score(LANGUAGE_SIDE, "to_pivot", 0.2)]
    page = section(swahili(scores=scores))
    marked = re.findall(r'<li class="is-module"><span class="name">([^<]*)', page)
    assert marked == [LANGUAGE_SIDE]
    assert '"range"' not in page


def test_each_direction_has_its_own_bars():
    first, second = section(swahili()).split("English → Swahili</figcaption>")
    assert "Swahili → English</figcaption>" in first
    assert (first.count('class="bar"'), second.count('class="bar"')) == (5, 2)


def test_unbounded_measures_keep_decimals():
    page = section(swahili(measure="mrr", scores=[Score(BASE, "to_pivot", 0.5, 0.25, 0.75)]))
    assert "<b>0.500</b> <small>0.25 to 0.75</small>" in page


def test_answers_are_marked_by_word_and_sign():
    page = section(swahili(examples=[Example("Misri", "Spain", "Egypt", "Egypt")]))
    before, after = re.findall(r'<td data-column="(?:Base|Module)">(.*?)</td>', page)
    assert "✗" in before and "wrong: " in before and "Spain" in before
    assert "✓" in after and "right: " in after


def test_texts_carry_direction_and_language():
    page = section(swahili(lang="ar", examples=[Example("مصر", "Spain", "Egypt", "Egypt")]))
    assert '<span dir="auto" lang="ar">مصر</span>' in page
    assert '<span dir="auto" lang="en">Egypt</span>' in page


HOSTILE = "</style><script>alert(1)</script><img src=https://x.example onerror='a'>&\"'"


def test_every_text_is_escaped():
    result = LanguageResult(
        lang=HOSTILE,
        name=HOSTILE,
        measure=HOSTILE,
        pool=3,
        scores=[Score(HOSTILE, HOSTILE, 0.5), Score(LANGUAGE_SIDE, "to_pivot", 0.5)],
        examples=[Example(HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
        item=HOSTILE,
        asked=HOSTILE,
        about=HOSTILE,
        drawn=HOSTILE,
    )
    pages = Report(
        HOSTILE,
        HOSTILE,
        [(HOSTILE, HOSTILE)],
        [result, result],
        {HOSTILE: [(1, 1.0), (2, 0.5)]},
        snippet=HOSTILE,
        steps=[(HOSTILE, HOSTILE)],
        notes=[HOSTILE],
        command=HOSTILE,
    )
    page = Page(render(pages))
    assert page.fetched == []
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count("<script>alert(1)</script>") > 20


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=20))
def test_any_text_of_any_script_gives_a_page_that_parses(text):
    result = swahili(
        name=text,
        examples=[Example(text, text, "x", text)],
    )
    page = Page(
        render(replace(Report(text, text, [(text, text)]), languages=[result], snippet=text))
    )
    assert page.fetched == []
    assert "script" not in page.tags


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, Report("a \ud800 b"))
    assert "a ? b" in path.read_text(encoding="utf-8")


def test_the_file_is_the_page_whole_and_a_bad_folder_is_the_users(tmp_path):
    path = tmp_path / "deep" / "report.html"
    write_report(path, report(swahili()))
    assert path.read_text(encoding="utf-8") == render(report(swahili()))
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(UserError, match="can't write"):
        write_report(path / "below.html", report())
