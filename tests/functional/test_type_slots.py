"""Type slots: writing, reading what a model wrote, and where its words stand."""

from __future__ import annotations

import random

from xadapt.functional.type_slots import filled_slots, places_of, read_slots, to_slots, word_runs

WORDS = "Obama went to New York .".split()  # noqa: SIM905
SPANS = [(3, 5, "LOC"), (0, 1, "PER")]


def test_the_example_of_the_paper():
    assert to_slots(WORDS, ["PER", "LOC"]) == (
        "Obama went to New York . <PER>[None]</PER><LOC>[None]</LOC>"
    )
    assert filled_slots(WORDS, SPANS) == "<PER>Obama</PER><LOC>New York</LOC>"
    assert read_slots(filled_slots(WORDS, SPANS), ["LOC", "PER"]) == [
        ("PER", "Obama"), ("LOC", "New York"),
    ]  # fmt: skip


def test_what_is_malformed_is_passed_over():
    types = ["PER", "LOC"]
    for text, wanted in (
        ("<PER> Obama </PER> <LOC>[None]</LOC>", [("PER", "Obama")]),
        ("<PER>Obama</LOC> <LOC>York</LOC>", [("LOC", "York")]),
        ("<PER>Oba<LOC>York</LOC></PER>", [("LOC", "York")]),
        ("<ORG>UN</ORG><PER></PER>", []),
        ("<PER>Obama", []),
        ("Obama</PER>", []),
        ("", []),
        ("<PER>a  b</PER>x<PER>c</PER>", [("PER", "a b"), ("PER", "c")]),
    ):
        assert read_slots(text, types) == wanted, text
    assert read_slots("<A>x</A>", []) == []
    rng = random.Random(0)
    parts = ["<PER>", "</PER>", "<LOC>", "</LOC>", "Ada", "[None]", "<", ">"]
    for _ in range(2000):
        text = "".join(rng.choices(parts, k=rng.randint(0, 8)))
        for name, words in read_slots(text, types):
            assert name in types and f"<{name}>" in text and words.strip()


def test_words_are_found_one_behind_the_other():
    words = "New York and new york , New Jersey".split()  # noqa: SIM905
    assert places_of(["New", "York"], words) == [(0, 2)]
    assert places_of(["New"], words) == [(0, 1), (6, 7)]
    assert places_of(["NEW", "YORK."], words) == [(0, 2), (3, 5)], "case and punctuation"
    assert places_of(["York", "New"], words) == []
    assert places_of([","], words) == [(5, 6)] and places_of([";"], words) == []
    assert places_of([], words) == [] == places_of(["New"] * 9, words)


def test_parts_of_words_are_compared_with_their_own_word():
    words = "Ummeli waseJamani kwikomiti yeManyano yaseYurophu".split()  # noqa: SIM905
    assert places_of(["Jamani"], words) == []
    assert places_of(["Jamani"], words, pieces=True) == [(1, 2)]
    assert places_of(["Manyano", "Yurophu"], words, pieces=True) == [(3, 5)]
    # beyond the first words of the sentence, where the authors' loop compares nothing
    assert places_of(["Manyano", "Jamani"], words, pieces=True) == []


def test_runs_begin_and_end_with_words():
    assert word_runs(["Ada", ",", "Bo"], 3) == [(0, 1), (0, 3), (2, 3)]
    assert word_runs(["a", "b"], 1) == [(0, 1), (1, 2)] and word_runs([], 3) == []
