"""Markers in texts: writing, reading what a translator made of them, pairing; fuzzed damage."""

from __future__ import annotations

import random

import pytest

from xadapt.functional.marker_text import (
    EMPTY,
    MISSING,
    TANGLED,
    has_markers,
    pair_spans,
    read_markers,
    with_markers,
)

WORDS = "only France and Britain backed it".split()  # noqa: SIM905
SPANS = [(1, 2, "LOC"), (3, 4, "LOC")]


def test_markers_are_words_of_their_own():
    text = " ".join(with_markers(WORDS, reversed(SPANS)))
    assert text == "only [ France ] and [ Britain ] backed it"
    assert with_markers(["a"], []) == ["a"] and with_markers([], []) == []
    for spans in ([(0, 2, "X"), (1, 3, "X")], [(2, 2, "X")], [(5, 7, "X")], [(-1, 1, "X")]):
        with pytest.raises(ValueError, match="overlaps another or leaves"):
            with_markers(WORDS, spans)
    assert has_markers(["a]"]) and has_markers(["【a"]) and not has_markers(["(a)"])


@pytest.mark.parametrize(
    "text",
    [
        "[ Faransi ] ni [ Angiletɛri ] dɔrɔn",
        "[Faransi] ni [Angiletɛri] dɔrɔn",
        "【Faransi】 ni 《Angiletɛri》dɔrɔn",
        "[[ Faransi ]] ni [ [Angiletɛri] ]  ] dɔrɔn",
        "&#91;Faransi&#93; ni ［Angiletɛri］ dɔrɔn",
    ],
)
def test_markers_of_translations_are_read(text):
    words, runs = read_markers(text, 2)
    assert words == ["Faransi", "ni", "Angiletɛri", "dɔrɔn"] and runs == [(0, 1), (2, 3)]


def test_adjacent_spans_and_punctuation():
    assert read_markers("[a][b c], d", 2) == (["a", "b", "c", ",", "d"], [(0, 1), (1, 3)])
    assert read_markers("a b", 0) == (["a", "b"], [])


def test_damage_is_named():
    for text, reason in (
        ("[ a ] b", MISSING),
        ("[ a ] b [ c", MISSING),
        ("[ a ] [ b ] [ c ]", MISSING),
        ("] a [ b [ c ]", TANGLED),
        ("[ a [ b ] c ]", TANGLED),
        ("[ a ] b [ ]", EMPTY),
        ("", MISSING),
    ):
        assert read_markers(text, 2) == reason


def test_random_damage_never_raises_and_what_is_read_has_all_words():
    rng = random.Random(0)
    read = 0
    for _ in range(3000):
        words = [rng.choice(["a", "b", "ŋ", ","]) for _ in range(rng.randint(1, 6))]
        count = rng.randint(1, 2)
        parts = list(words)
        for mark in rng.sample(["[", "]"] * count, rng.randint(0, 2 * count)):
            parts.insert(rng.randint(0, len(parts)), mark)
        found = read_markers(" ".join(parts), count)
        if not isinstance(found, str):
            read += 1
            assert found[0] == words and len(found[1]) == count
            assert all(0 <= a < b <= len(words) for a, b in found[1])
    assert read > 100


def test_spans_of_one_type_are_paired_in_order():
    assert pair_spans(["x", "y"], ["a", "b"], ["", ""], ["LOC", "LOC"]) == [0, 1]
    assert pair_spans([], [], [], []) == []


def test_spans_that_were_swapped_are_paired_by_spelling_or_by_their_own_translation():
    types = ["PER", "LOC"]
    assert pair_spans(["Londres", "Ada"], ["Ada", "London"], ["", ""], types) == [1, 0]
    assert pair_spans(["Munich", "Ada"], ["Ada", "München"], ["", "munich"], types) == [1, 0]
    # one is sure, the other is what is left
    assert pair_spans(["Tokio", "Ada"], ["Ada", "東京"], ["", ""], types) == [1, 0]
    assert pair_spans(["Tokio", "Adele"], ["アダ", "東京"], ["", ""], types) is None
    three = ["PER", "LOC", "LOC"]
    given = (["Nil", "Ada", "Kairo"], ["Ada", "Αίγυπτος", "Κάιρο"], ["", "", ""])
    assert pair_spans(*given, three) == [1, 0, 2], "what is left is of one type"
    with pytest.raises(ValueError, match="as many"):
        pair_spans(["x"], ["a", "b"], ["", ""], types)
