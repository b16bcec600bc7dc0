from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.report.aligned_page import AlignedPage, AlignedPair, render_aligned, write_aligned

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Elements, scripts and what would be fetched; every element must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.scripts, self.fetched, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))
        for name, value in attrs:
            assert not name.startswith("on")
            if name in {"src", "href", "action"}:
                self.fetched.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)


def page(*pairs, **more):
    return AlignedPage("a and b", "a", "b", "de", "en", pairs, len(pairs), **more)


def pair(text="x", **more):
    return AlignedPair(text, f"{text}!", text, text, 0.5, 0.1, **more)


def test_one_script_runs_and_it_is_named_by_its_hash():
    text = render_aligned(page(pair(), pair("y")))
    found = Page(text)
    assert found.fetched == [] and len(found.ids) == len(set(found.ids))
    [script] = [body for kind, body in found.scripts if kind is None]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text and "default-src 'none'" in text
    assert re.search(r"https?:", text) is None
    assert "innerHTML" not in script and "eval" not in script
    used = set(re.findall(r'byId\("([\w-]+)"\)', script))
    assert used and used <= set(found.ids)


def rows_of(text):
    [_, body] = [body for kind, body in Page(text).scripts if kind == "application/json"]
    return json.loads(body)


def test_the_rows_are_whole():
    one = pair("日本", verdict="wrong", left_facts=("in: Asien",))
    [row] = rows_of(render_aligned(page(one)))
    assert row == ["日本", "日本!", "日本", "日本", 0.5, 0.1, "wrong", ["in: Asien"], []]
    [row] = rows_of(render_aligned(page(AlignedPair("a", "b", "", "", 1.0))))
    assert row[5] is None


EVIL = "</script><script>alert(1)</script><!-- <![CDATA[ \u2028 & ' \" \\"


@pytest.mark.parametrize("text", [EVIL, "<b>", "\ud800", "a\tb\nc"])
def test_no_name_becomes_code(text):
    made = render_aligned(page(pair(text), facts=[(text, text)], notes=[text], exported=text))
    found = Page(made)
    assert [kind for kind, _ in found.scripts] == ["application/json", "application/json", None]
    assert rows_of(made)[0][0].encode("utf-8", "replace") == text.encode("utf-8", "replace")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
def test_any_text_gives_a_whole_page(text):
    made = render_aligned(page(pair(text, left_facts=(text,)), notes=[text]))
    assert len(Page(made).scripts) == 3


def test_marks_of_other_pairs_have_another_key():
    keys = set()
    for pairs in ((pair("a"),), (pair("b"),), (pair("a"), pair("b"))):
        [about, _] = [b for k, b in Page(render_aligned(page(*pairs))).scripts if k]
        keys.add(json.loads(about)["key"])
    assert len(keys) == 3


def test_it_is_written_whole(tmp_path):
    write_aligned(tmp_path / "page.html", page(pair()))
    assert "a and b" in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(UserError):
        write_aligned(tmp_path, page(pair()))
