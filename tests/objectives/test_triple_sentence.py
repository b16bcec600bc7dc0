"""TS: the mention is cut out of the sentence, and nothing else."""

from __future__ import annotations

import random

import pytest

from xadapt.data.records import EntityMention
from xadapt.objectives.triple_sentence import TripleSentences, without_mention


def row(text, mention):
    start = text.index(mention)
    return EntityMention(text, (start, start + len(mention)), "Q64", (("en", mention),), "en")


@pytest.mark.parametrize(
    ("text", "mention", "left"),
    [
        ("The zoo is in Berlin today", "Berlin", "The zoo is in today"),
        ("Berlin has a zoo", "Berlin", "has a zoo"),
        ("The zoo of New York City", "New York City", "The zoo of"),
        ("動物園は東京にある", "東京", "動物園は にある"),
    ],
)
def test_the_mention_alone_is_cut(text, mention, left):
    assert without_mention(row(text, mention)) == left


def test_views():
    made = TripleSentences().views([row("A zoo in Berlin", "Berlin")], random.Random(0))
    assert made["query"].rows == ["A zoo in"] and made["name"].rows == ["Berlin"]
    assert made["asked"][0].entity == "Q64"
