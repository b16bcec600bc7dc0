"""Two sides in one language are told from two languages, by their trigrams alone."""

from __future__ import annotations

import pytest

from xadapt.data.records import ParallelPair
from xadapt.data.transforms.record_check import checked
from xadapt.data.transforms.side_likeness import FEW, likeness, trigrams

GERMAN = [
    "Das Haus steht nahe am Fluss", "Sie kaufte drei rote Äpfel auf dem Markt",
    "Wir reisen morgen in die Berge", "Niemand weiß, wo der alte Schlüssel ist",
    "Die Kinder spielen nach der Schule Fußball", "Er schreibt seinem Bruder einen langen Brief",
]  # fmt: skip
ENGLISH = [
    "The house stands near the river", "She bought three red apples at the market",
    "We will travel to the mountains tomorrow", "Nobody knows where the old key is",
    "The children play football after school", "He writes a long letter to his brother",
]  # fmt: skip


def test_trigrams_by_hand():
    assert trigrams(["Ab  c"]) == {" ab": 1, "ab ": 1, "b c": 1, " c ": 1}


def test_likeness_by_hand():
    # " ab", "ab " against " ab", "aba", "bab", "ab ": 2 of sqrt(2 * 4)
    assert likeness(["ab"] * FEW, ["abab"] * FEW) == pytest.approx(2 / 8**0.5)


def test_likeness_is_1_for_the_same_texts_and_0_for_strangers():
    assert likeness(GERMAN * 20, GERMAN * 20) == pytest.approx(1)
    assert likeness(["aaa"] * FEW, ["bbb"] * FEW) == 0
    assert likeness(GERMAN, GERMAN) == 0 == likeness([""] * FEW, [""] * FEW)
    assert likeness(GERMAN * 20, ENGLISH * 20) < 0.5


@pytest.mark.parametrize(("pivots", "noted"), [(GERMAN, True), (ENGLISH, False)])
def test_pairs_in_one_language_are_noted(pivots, noted):
    turned = pivots[1:] + pivots[:1] if noted else pivots
    pairs = [ParallelPair(a, b, "de") for a, b in zip(GERMAN * 20, turned * 20, strict=True)]
    said = []
    assert list(checked(pairs, "a.tsv", lambda source, line: said.append(line))) == pairs
    assert said == (
        ["both sides seem to be in one language: check which texts are en and de"] if noted else []
    )
