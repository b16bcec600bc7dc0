from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_reports import swahili

from xadapt.report import BASE, BOTH_SIDES, LANGUAGE_SIDE, TFIDF, Score, headline
from xadapt.report.headline import chance, measure_name, percent, shown


def test_the_sentence_says_after_before_and_the_control():
    assert headline(swahili()) == (
        "Swahili: the right English name is found first for 63 % of entities never seen, "
        "12 % before (TF-IDF 41 %)."
    )


def test_a_module_that_made_it_worse_is_told_in_the_same_words():
    scores = [Score(BASE, "to_pivot", 0.5), Score(LANGUAGE_SIDE, "to_pivot", 0.25)]
    assert headline(swahili(scores=scores)) == (
        "Swahili: the right English name is found first for 25 % of entities never seen, "
        "50 % before."
    )


def test_what_was_not_measured_is_left_out_and_what_stands_in_is_named():
    alone = [Score(LANGUAGE_SIDE, "to_pivot", 0.5)]
    assert headline(swahili(scores=alone)).endswith("for 50 % of entities never seen.")
    both = [Score(BOTH_SIDES, "to_pivot", 0.5), Score(TFIDF, "to_pivot", 0.25)]
    assert headline(swahili(scores=both)).endswith(
        "for 50 % of entities never seen with the module on both sides (TF-IDF 25 %)."
    )
    back = [Score(LANGUAGE_SIDE, "from_pivot", 0.5), Score(BASE, "to_pivot", 0.3)]
    assert headline(swahili(scores=back)) == (
        "Swahili: the right Swahili name is found first for 50 % of entities never seen."
    )
    assert headline(swahili(scores=[Score(BASE, "to_pivot", 0.3)])) == (
        "Swahili: the module was not measured."
    )


def test_other_measures_are_named_and_not_made_percentages():
    scores = [Score(BASE, "to_pivot", 0.1234), Score(LANGUAGE_SIDE, "to_pivot", 0.5)]
    assert headline(swahili(scores=scores, measure="mrr")) == (
        "Swahili: MRR 0.500 on entities never seen, Swahili → English, 0.123 before."
    )
    assert "is found among the first ten for 50 %" in headline(
        swahili(scores=scores, measure="hits@10")
    )
    assert measure_name("macro F1") == "macro F1"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0004, "under 0.1 %"),
        (0.0005, "0.1 %"),
        (0.07, "7 %"),
        (0.096, "9.6 %"),
        (0.104, "10 %"),
        (0.634, "63 %"),
        (0.952, "95.2 %"),
        (0.9994, "99.9 %"),
        (0.9997, "over 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_percentages(share, text):
    assert percent(share) == text
    assert shown(share, "accuracy") == text


@given(st.floats(0, 1))
def test_only_the_ends_are_printed_as_the_ends(share):
    assert (percent(share) == "0 %") == (share == 0)
    assert percent(share) != "100 %" or 100 * share == 100


def test_chance_is_one_in_the_pool_where_the_first_is_counted():
    assert chance(swahili()) == "Each is looked up among 200 candidates; guessing finds 0.5 %."
    assert chance(swahili(measure="mrr")) == "Each is looked up among 200 candidates."
    assert chance(swahili(measure="hits@10")) == "Each is looked up among 200 candidates."
    assert chance(swahili(pool=0)) == ""
