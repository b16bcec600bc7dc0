"""The pair filter: what each rule drops, in numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from xadapt.data.records import ParallelPair
from xadapt.data.transforms.pair_filter import REASONS, PairFilter, filter_pairs, length_ratio

OFF = PairFilter(duplicates=False, copies=False, max_chars=0, max_ratio=0, min_script=0)


def pair(text: str, pivot: str, lang: str = "de") -> ParallelPair:
    return ParallelPair(text, pivot, lang)


CORPUS = [
    pair("Guten Tag!", "Good day!"),
    pair("guten tag", "Good day."),  # duplicate
    pair("Guten Tag!", "Hello!"),  # another translation: stays
    pair("OK, Google", "ok google"),  # copy
    pair("x" * 2001, "y" * 2001),  # too long
    pair("Ja.", "This is a much longer sentence than that."),  # length ratio
    pair("Добрый вечер", "Good evening"),  # wrong script for German
    pair("Gute Nacht", "Доброй ночи"),  # wrong script for English
]


def test_each_rule_drops_its_own_and_the_first_of_equals_stays():
    kept, dropped = filter_pairs(CORPUS)
    assert kept == [CORPUS[0], CORPUS[2]]
    assert dropped == {
        "duplicate": 1,
        "copy": 1,
        "too_long": 1,
        "length_ratio": 1,
        "wrong_script": 2,
    }
    assert tuple(dropped) == REASONS


def test_every_rule_can_be_turned_off():
    kept, dropped = filter_pairs(CORPUS, OFF)
    assert kept == CORPUS
    assert set(dropped.values()) == {0}
    for name, index in (("duplicates", 1), ("copies", 3)):
        alone = replace(OFF, **{name: True})
        assert filter_pairs(CORPUS, alone)[0] == CORPUS[:index] + CORPUS[index + 1 :]


def test_the_same_words_in_two_languages_are_no_duplicates():
    pairs = [pair("Hotel am See", "Hotel by lake", lang) for lang in ("de", "nl")]
    assert filter_pairs(pairs)[0] == pairs


@pytest.mark.parametrize(
    ("left", "right", "ratio"),
    [
        ("", "", 1.0),
        ("a" * 10, "b" * 30, 2.0),
        ("b" * 30, "a" * 10, 2.0),
        ("日本語文字", "a" * 15, 1.0),  # (5 * 3 + 10) / (15 + 10)
        ("かなカナ한글", "a" * 2, 22 / 12),  # (6 * 2 + 10) / (2 + 10)
        ("e\u0301" * 10, "é" * 10, 1.0),
        ("привет", "a" * 6, 1.0),
    ],
)
def test_length_ratio(left, right, ratio):
    assert length_ratio(left, right) == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("text", "pivot", "lang"),
    [
        ("はい。", "Yes, that is what I said.", "ja"),
        ("我们明天早上八点在车站见面。", "Let us meet at the station at eight tomorrow.", "zh"),
        ("Я читаю «Financial Times» в Лондоне", "I read the Financial Times in London", "ru"),
        (
            "यह दस्तावेज़ Google Drive और Slack पर है",
            "This document is on Google Drive and Slack",
            "hi",
        ),
        ("Dobar dan, kako ste danas", "Good day, how are you", "sr"),
        ("123 456", "123,456 ...", "ja"),
        ("nuqneH", "Hello", "tlh"),
    ],
)
def test_good_pairs_stay(text, pivot, lang):
    assert filter_pairs([pair(text, pivot, lang)], PairFilter(copies=False))[0]


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=9))
def test_kept_and_dropped_add_up_and_a_second_run_drops_nothing(rows):
    pairs = [pair(*row) for row in rows]
    kept, dropped = filter_pairs(pairs)
    assert len(kept) + sum(dropped.values()) == len(pairs)
    again, nothing = filter_pairs(kept)
    assert again == kept
    assert set(nothing.values()) == {0}


@pytest.mark.parametrize("wrong", [{"min_script": 2}, {"max_ratio": -1}, {"no_such": 1}])
def test_options_are_checked(wrong):
    with pytest.raises(ValidationError):
        PairFilter(**wrong)
