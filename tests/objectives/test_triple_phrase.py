"""TP: phrases of drawn names, and known tails that are no negatives."""

from __future__ import annotations

import random

from xadapt.data.records import NamedTriple
from xadapt.objectives.triple_phrase import TriplePhrases

ROW = NamedTriple(
    "Q64", "P1376", "Q183",
    (("de", "Berlin"), ("sw", "Berlini")),
    (("de", "Hauptstadt von"), ("en", "capital of")),
    (("de", "Deutschland"), ("en", "Germany")),
    "de",
)  # fmt: skip
OTHER = NamedTriple("Q64", "P1376", "Q7318", ROW.heads, ROW.relations, (("en", "Reich"),), "de")


def phrases(objective, records, count=60):
    memory = objective.prepare(records)
    made = [objective.views(records, random.Random(i), memory) for i in range(count)]
    return {(one["query"].rows[0], one["name"].rows[0]) for one in made}, made


def test_languages_are_drawn_apart():
    found, _ = phrases(TriplePhrases(), [ROW], 120)
    heads, relations, tails = ([name for _, name in part]
                               for part in (ROW.heads, ROW.relations, ROW.tails))  # fmt: skip
    assert found == {(f"{h} {r}", t) for h in heads for r in relations for t in tails}


def test_one_language_is_one_that_all_have():
    found, _ = phrases(TriplePhrases(languages="one"), [ROW])
    assert found == {("Berlin Hauptstadt von", "Deutschland")}
    foreign = NamedTriple("a", "r", "b", (("fr", "x"),), (("en", "of"),), (("fr", "y"),), "fr")
    found, _ = phrases(TriplePhrases(languages="one"), [foreign])
    assert found == {("x of", "y")}  # a relation with English names alone


def test_known_tails_are_answers():
    _, made = phrases(TriplePhrases(), [ROW, OTHER], 1)
    first, second = made[0]["asked"]
    assert first.answers == second.answers == {"Q183", "Q7318"}
    assert first.names == {"deutschland", "germany"} and first.entity == "Q183"
