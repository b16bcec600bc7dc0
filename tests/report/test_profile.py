from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from xadapt.report.profile import (
    MARK,
    LanguageProfile,
    Profile,
    Size,
    Spelled,
    SystemScores,
    Told,
    render,
)
from xadapt.report.table import number


def scores(system, shift=0.0):
    values = [0.411, 0.302, 0.523, 0.345, 0.876, 0.998, 0.765, 0.234, 0.888, 0.654, 0.321]
    return SystemScores(system, *(value + shift for value in values))


def made(names=("German", "Swahili"), modules=True):
    spelled = Spelled(1.87, 0.456, 2.34, 0.011, 0.025)
    systems = [scores("frozen base"), *([scores("module, both sides", 0.001)] if modules else [])]
    rows = [
        LanguageProfile(f"x{i}", name, 120, 3, spelled,
                        tuple(replace(one, accuracy=one.accuracy - 0.1 * i) for one in systems))
        for i, name in enumerate(names)
    ]  # fmt: skip
    told = [Told(one.system, 0.912, 1 / 3, {"x0": 0.9, "en": 0.924}, 60) for one in systems]
    sizes = (Size("base", 1_000_000, 4_000_000), Size("sw", 25_000, 101_234))
    return Profile("mini", "sw" if modules else "", "en", "English", tuple(rows), tuple(told),
                   sizes[: 1 + modules], {"data": "sample:test", "seed": 0})  # fmt: skip


class Parsed(HTMLParser):
    """The texts and tags of a page; open tags must be closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_every_number_is_on_the_page():
    profile = made()
    text = Parsed(render(profile)).text
    for row in profile.languages:
        for one in row.systems:
            for name in ("accuracy", "noisy", "noisy_cosine", "source_kept", "source_order",
                         "own_language_first", "translations", "within", "across"):  # fmt: skip
                assert number(getattr(one, name)) in text, name
            for name in ("gap", "noise_loss"):
                assert number(getattr(one, name), sign=True) in text, name
            assert f"[{number(one.low, 2)}, {number(one.high, 2)}]" in text
    numbers = ("1.87", ".456", "2.34", "1.1 %", "2.5 %", ".912", ".333", ".924", "1,000,000")
    size = "25,000 parameters (2.50 % of the base), 101 kB"
    for told in (*numbers, size, "4 MB", "sample:test"):
        assert told in text, told
    assert (
        "fewest in Swahili, 31.1 %." in text
        and "frozen base: 36.1 %" in text
        and "120 pairs, 3 left out as repeated" in text
    )


def test_bars_are_as_long_as_the_numbers():
    page = render(made(["German"], modules=False))
    bars = re.findall(r'class="bar" style="width:([\d.]+)%"', page)
    ranges = re.findall(r'class="range" style="left:([\d.]+)%;width:([\d.]+)%"', page)
    assert bars == ["41.10"] and ranges == [("30.20", "22.10")]


def test_a_page_loads_nothing_and_escapes_every_text():
    nasty = "<script>alert(1)</script>"
    profile = replace(made([nasty]), base=nasty, composition=nasty, facts={nasty: nasty})
    page = render(profile)
    parsed = Parsed(page)
    assert nasty in parsed.text and MARK in page
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "img", "link", "iframe"})
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", page)
    assert "\udcff" not in render(replace(profile, base="a\udcff"))


def test_without_a_module_nothing_is_said_about_the_pivot():
    page = Parsed(render(made(modules=False))).text
    assert "English with the module" not in page and "frozen base" in page
    few = Parsed(render(replace(made(), told=()))).text
    assert "too few pairs to hold some out" in few


def test_the_worst_language_and_the_mean():
    profile = made()
    assert profile.worst("frozen base") == ("x1", pytest.approx(0.311))
    assert profile.mean("frozen base") == pytest.approx(0.361)
    assert profile.share(profile.sizes[1]) == 0.025
    found = profile.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    assert found["over_languages"][0]["worst"] == {"lang": "x1", "accuracy": pytest.approx(0.311)}
    [first, _] = found["languages"][0]["systems"]
    assert first["noise_loss"] == pytest.approx(0.411 - 0.345)
    assert first["gap"] == pytest.approx(0.654 - 0.321)


def test_the_table_fits_and_tells_the_same():
    text = str(made())
    assert max(map(len, text.splitlines())) <= 100
    for told in (
        ".411",
        ".345",
        ".998",
        "+.333",
        "lowest in x1: .311",
        "91.2%",
        "2.50% of the base",
    ):
        assert told in text, told


def test_a_page_is_written_whole(tmp_path):
    made().write_page(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render(made())
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
