"""Scripts of letters, languages and texts."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from xadapt.data.transforms.scripts import (
    expected,
    main_script,
    script_of,
    script_share,
    weight,
    weighted_length,
)


@pytest.mark.parametrize(
    ("char", "code"),
    [
        *[("a", "Latn"), ("ß", "Latn"), ("Ａ", "Latn"), ("я", "Cyrl"), ("λ", "Grek")],
        *[("語", "Hani"), ("々", "Hani"), ("あ", "Hira"), ("ア", "Kana"), ("ｱ", "Kana")],
        *[("ー", "Kana"), ("한", "Hang"), ("क", "Deva"), ("ि", "Deva"), ("ع", "Arab")],
        *[("ก", "Thai"), ("አ", "Ethi"), ("ლ", "Geor"), ("𠮷", "Hani"), ("豈", "Hani")],
        *[("1", ""), (" ", ""), ("。", ""), ("\u0301", ""), ("😀", ""), ("\ud800", "")],
    ],
)
def test_letters(char, code):
    assert script_of(char) == code


@pytest.mark.parametrize(
    ("tag", "codes"),
    [
        ("de", {"Latn"}),
        ("ja", {"Hira", "Kana", "Hani"}),
        ("ko", {"Hang", "Hani"}),
        ("zh-Hant", {"Hani", "Bopo"}),
        ("sr", {"Cyrl", "Latn"}),
        ("sr-Latn", {"Latn"}),
        ("sr-Latn-RS", {"Latn"}),
        ("hi", {"Deva"}),
        ("egy", set()),
    ],
)
def test_scripts_of_languages(tag, codes):
    assert expected(tag) == codes


def test_shares_weigh_ideographs():
    assert script_share("привет", "ru") == 1
    assert script_share("привет", "de") == 0
    assert script_share("приве a b c", "ru") == pytest.approx(5 / 8)
    assert script_share("漢字 abc", "zh") == pytest.approx(6 / 9)
    assert script_share("1, 2 ... 😀", "ru") == 1
    assert script_share("", "ru") == 1
    assert script_share("abc", "egy") == 1


def test_weights():
    assert weighted_length("abc 1") == 5
    assert weighted_length("語a") == 4
    assert weight("。") == 1


def test_every_script_in_the_table_has_letters():
    from xadapt.data.transforms import scripts

    found = {script_of(chr(code)) for code in range(sys.maxunicode + 1) if code < 0x20000}
    assert set(scripts._NAMES) <= found, unicodedata.unidata_version


TEXTS = [
    *(f"{chr(code)}a" for code in (*range(1, 0x400), 0x10FF, 0x1100, 0x3042, 0xAC00)),
    "naïve µm", "e\u0301 Ω", "日本語 text", "Привет you", "",
]  # fmt: skip


@pytest.mark.parametrize("tag", ["de", "el", "ru", "ja", "sr"])
def test_the_quick_ways_give_what_each_letter_says(tag):
    for text in TEXTS:
        letters = [char for char in text if script_of(char)]
        total = sum(map(weight, letters))
        inside = sum(weight(char) for char in letters if script_of(char) in expected(tag))
        assert script_share(text, tag) == (pytest.approx(inside / total) if total else 1.0), text
        assert weighted_length(text) == sum(map(weight, unicodedata.normalize("NFC", text))), text


def test_the_script_of_most_letters():
    assert [main_script(t) for t in ("Дом b", "日x", "12!", "", "नदी")] == [
        *("Cyrl", "Hani", "", "", "Deva"),
    ]
