from __future__ import annotations

import pytest

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.protocol import Services

PAIRS = [ParallelPair("die katze und der hund", "x", "de"), ParallelPair("hund hund", "y", "de")]


@pytest.fixture
def words(tmp_path):
    file = tmp_path / "words.tsv"
    file.write_text("katze\tcat\nhund\tdog\n", encoding="utf-8")
    return str(file)


def test_words_are_replaced_by_hand(words):
    log = []
    made = registry.load("transforms", "word_switch")(words, share=1)
    rows = made.apply(PAIRS, Services("de", log=log.append))
    assert [row.text for row in rows] == ["die cat und der dog", "dog dog"]
    assert [row.pivot for row in rows] == ["x", "y"] and log == ["4 words replaced in 2 pairs"]


def test_the_seed_and_the_pair_choose_and_the_order_does_not(words):
    made = registry.load("transforms", "word_switch")(words)
    many = [ParallelPair("hund " * 20, str(i), "de") for i in range(20)]
    one = made.apply(many, Services("de"))
    assert made.apply(many[::-1], Services("de")) == one[::-1]
    assert made.apply(many, Services("de", seed=1)) != one
    share = sum(row.text.split().count("dog") for row in one) / 400
    assert 0.4 < share < 0.6


def test_without_a_dictionary_it_says_so():
    with pytest.raises(UserError, match="finds no dictionary"):
        registry.load("transforms", "word_switch")("none.tsv").apply(PAIRS, Services("de"))
