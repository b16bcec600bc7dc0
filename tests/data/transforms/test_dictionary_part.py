"""The parts of a dictionary: words apart, the same in every run, shared words left out."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import WordPair
from xadapt.data.transforms.dictionary_part import DictionaryPart, dictionary_part
from xadapt.data.transforms.protocol import Services

ENTRIES = [WordPair(f"w{i}", f"p{i}", "de") for i in range(400)]
ENTRIES += [WordPair(f"w{i}", f"p{i + 1}", "de") for i in range(0, 400, 2)]
SAME = WordPair("Radio", "radio", "de")


def test_no_word_of_either_side_is_in_both_parts():
    train, held = (dictionary_part(ENTRIES, part) for part in ("train", "held_out"))
    assert len(train) + len(held) == len(ENTRIES) and 0.1 < len(held) / len(ENTRIES) < 0.3
    for side in ("word", "pivot"):
        assert not {getattr(e, side) for e in train} & {getattr(e, side) for e in held}


def test_words_that_are_the_same_in_both_languages_are_in_no_part():
    for part in ("train", "held_out", "all"):
        assert SAME not in dictionary_part([*ENTRIES, SAME], part)


def test_the_choice_depends_on_the_words_alone():
    train = dictionary_part(ENTRIES, "train", share=0.5)
    assert dictionary_part(ENTRIES[::-1], "train", share=0.5) == train[::-1]
    for seed in (0, 1):
        assert DictionaryPart(share=0.5).apply(ENTRIES, Services("de", seed=seed)) == train
    assert 0.3 < len(train) / len(dictionary_part(ENTRIES, "train")) < 0.7


def test_a_held_out_word_stays_held_out_whatever_the_share():
    held = dictionary_part(ENTRIES, "held_out")
    assert dictionary_part(ENTRIES, "held_out", share=0.25) == held


def test_the_log_counts_and_an_empty_part_is_refused():
    lines = []
    DictionaryPart().apply(ENTRIES, Services("de", log=lines.append))
    assert len(lines) == 1 and lines[0].endswith("of 600 entries of the dictionary (train)")
    with pytest.raises(UserError, match="no entry"):
        DictionaryPart().apply([SAME], Services("de"))
