"""Linking by names: whole words, the longest name, and no name of two entities."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import PlainText
from xadapt.data.transforms.link_entities import Index, LinkEntities
from xadapt.data.transforms.protocol import Services

NAMES = {
    "Q1": ("Germany", "German"),
    "Q2": ("New York",),
    "Q3": ("New York City",),
    "Q4": ("Georgia",),
    "Q5": ("Georgia",),
    "Q6": ("euro",),
    "Q7": ("東京",),
    "Q8": ("हिन्द",),
    "Q9": ("Georgia State",),
}


def found(text, shortest=4):
    return [(text[a:b], entity) for a, b, entity in Index(NAMES, shortest).find(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Germany's east, (Germany).", [("Germany", "Q1"), ("Germany", "Q1")]),
        ("Germanys and xGermany and Germany2", []),
        ("germany", []),  # with its case
        ("In New York City and New York.", [("New York City", "Q3"), ("New York", "Q2")]),
        ("Georgia and Georgia State", [("Georgia State", "Q9")]),  # two entities share Georgia
        ("one euro, Europe, euros", [("euro", "Q6")]),
        ("私は東京都にいる", [("東京", "Q7")]),
        ("हिन्दी", []),  # a vowel sign belongs to the word
        ("हिन्द है", [("हिन्द", "Q8")]),
    ],
)
def test_names_are_whole_words(text, wanted):
    assert found(text) == wanted


def test_short_names_are_left_out():
    assert found("euro New York", shortest=5) == [("New York", "Q2")]
    assert found("東京", shortest=5) == [] and found("東京", shortest=4) == [("東京", "Q7")]


def test_texts_with_names_become_linked_sentences():
    log = []
    rows = [PlainText("Hot in Germany", "en", origin="x:1"), PlainText("Hot", "en")]
    services = Services("en", callables={"names": lambda source: {"en": NAMES}}, log=log.append)
    [row] = LinkEntities().apply(rows, services)
    assert row.text == "Hot in Germany" and row.mentions == ((7, 14, "Q1"),)
    assert row.origin == "x:1" and log == ["1 names in 1 of 2 texts"]
    with pytest.raises(UserError, match="no names in 'sw'"):
        LinkEntities().apply([PlainText("a", "sw")], services)
