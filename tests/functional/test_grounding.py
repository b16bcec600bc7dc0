"""Mentions found by string match, and spans of several annotators merged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.functional.grounding import ground, merge_spans, occurrences, word_places


def found(text, *mentions):
    spans, missing = ground(text, [(mention, "x") for mention in mentions])
    assert all(0 <= a < b <= len(text) for a, b, _ in spans)
    return [text[a:b] for a, b, _ in spans], [a for a, _, _ in spans], missing


def test_the_nth_listing_is_the_nth_occurrence():
    text = "Ann met Ann, and Ann left"
    assert found(text, "Ann", "Ann") == (["Ann", "Ann"], [0, 8], 0)
    assert found(text, *["Ann"] * 5) == (["Ann"] * 3, [0, 8, 17], 0)


@pytest.mark.parametrize(
    ("text", "mention", "wanted"),
    [
        ("Annual Ann", "Ann", ["Ann"]),
        ("Annual", "Ann", []),
        ("Nairobini", "Nairobi", ["Nairobi"]),
        ("Nairobini Nairobi", "Nairobi", ["Nairobi"]),
        ("unNairobi", "Nairobi", []),
        ("私は東京に住む", "東京", ["東京"]),
        ("दिल्ली में", "दिल्ली", ["दिल्ली"]),
        ("दिल्ली में", "दिल", []),
        ("Paris-based", "Paris", ["Paris"]),
        ("New\n  York", "New York", ["New\n  York"]),
        ('the "Iliad" and', '"Iliad".', ["Iliad"]),
        ('the "Iliad" and', '"Iliad"', ['"Iliad"']),
        ("a (b", "(b", ["(b"]),
        ("Ada", "ada", []),
        ("Ada", " ", []),
    ],
)
def test_a_mention_stands_at_the_edges_of_words(text, mention, wanted):
    spans, _, missing = found(text, mention)
    assert spans == wanted and missing == (not wanted)


def test_what_is_not_there_is_counted():
    assert found("Ada met Bo", "Chen", "Bo", "Dina") == (["Bo"], [8], 2)


def test_equal_spans_are_one_and_keep_both_labels():
    text = "Ada flew to Kraft Foods in Lima"
    one = [(0, 3, "person"), (12, 23, "company"), (27, 31, "city")]
    two = [(0, 3, "person"), (12, 23, "organization"), (12, 17, "person")]
    merged = merge_spans(text, [one, two])
    assert [(text[s.start : s.end], s.label, s.votes, s.others) for s in merged] == [
        ("Ada", "person", 2, ()),
        ("Kraft Foods", "company", 2, ("organization",)),
        ("Lima", "city", 1, ()),
    ]
    assert [(s.first_word, s.end_word) for s in merged] == [(0, 1), (3, 5), (6, 7)]
    assert [s.label for s in merge_spans(text, [one, two], least=2)] == ["person", "company"]


def test_of_spans_that_share_a_word_most_votes_win_then_the_longest_then_the_first():
    text = "New York City Hall"
    long, short = (0, 13, "city"), (0, 8, "state")
    assert [s.label for s in merge_spans(text, [[long, short]])] == ["city"]
    assert [s.label for s in merge_spans(text, [[long, short], [short]])] == ["state"]
    assert [s.label for s in merge_spans(text, [[(0, 8, "a"), (4, 12, "b")]])] == ["a"]


texts = st.text(alphabet="aB é.東न्ि\n'", max_size=30)


@given(texts, st.lists(texts, max_size=6))
def test_any_text_gives_spans_inside_it_without_overlap(text, mentions):
    spans, missing = ground(text, [(mention, "x") for mention in mentions])
    assert 0 <= missing <= len(mentions) >= len(spans)
    words = word_places(text)
    assert [text[a:b] for a, b in words] == [w for w in (text[a:b] for a, b in words) if w.strip()]
    merged = merge_spans(text, [spans, spans[::-1]])
    used = [i for s in merged for i in range(s.first_word, s.end_word)]
    assert len(used) == len(set(used)) and all(s.first_word < s.end_word for s in merged)
    for s in merged:
        assert words[s.first_word][0] < s.end and words[s.end_word - 1][1] > s.start


@given(texts, texts)
def test_an_occurrence_is_the_mention(text, mention):
    for a, b in occurrences(text, mention):
        assert text[a:b].split() == mention.split()
