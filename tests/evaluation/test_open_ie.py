from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import OpenTriples
from xadapt.evaluation.open_ie import GIVEN, LEFT_RIGHT, Said, evaluate, guessed, left_and_right

P, A0, A1, A2 = "P", "A0", "A1", "A2"
GOLD = [
    OpenTriples(
        ("Ada", "wrote", "code", "and", "slept", "at", "night", "."),
        (
            ((1, 2, P), (0, 1, A0), (2, 3, A1)),
            ((4, 5, P), (0, 1, A0), (5, 7, A1)),
        ),
        "en",
    ),
    OpenTriples(("Bob", "ran"), (((1, 2, P), (0, 1, A0)),), "en"),
]


def right():
    own = [row.extractions for row in GOLD]
    return Said(own, own)


def means(result, system):
    return {measure: score.mean for measure, score in result[system].scores.items()}


def test_what_is_right_has_one():
    assert set(means(evaluate(GOLD, {"x": right()}, resamples=10), "x").values()) == {1.0}


def test_numbers_by_hand():
    """Predicates: 2 of 3, one of 3 found is wrong. Arguments: 2 right of 4 said, 5 wanted."""
    found = [
        (((1, 2, P), (0, 1, A0), (2, 3, A1)), ((3, 5, P), (0, 1, A0))),
        (((1, 2, P), (0, 1, A2)),),
    ]
    given = [
        (((1, 2, P), (0, 1, A0), (2, 3, A1)), ((4, 5, P), (0, 1, A0), (5, 6, A1))),
        (((1, 2, P),),),
    ]
    told = means(evaluate(GOLD, {"x": Said(found, given)}, resamples=10), "x")
    assert told == {
        "predicates": pytest.approx(2 * 2 / (3 + 3)),
        GIVEN: pytest.approx(2 * 3 / (5 + 4)),
        "arguments": pytest.approx(2 * 2 / (5 + 4)),
        "triples": pytest.approx(2 * 1 / (3 + 3)),
    }


def test_a_predicate_without_arguments_is_no_triple():
    found = [(((1, 2, P), (0, 1, A0), (2, 3, A1)),), (((0, 1, P),),)]
    told = means(evaluate(GOLD, {"x": Said(found, right().given)}, resamples=10), "x")
    assert told["triples"] == pytest.approx(2 * 1 / (3 + 1))
    assert told["predicates"] == pytest.approx(2 * 1 / (3 + 2))


def test_a_role_counts():
    """The right words with the wrong role are no argument, whatever else is right."""
    swap = {A0: A1, A1: A0, P: P}
    found = [
        tuple(tuple((s, e, swap[r]) for s, e, r in spans) for spans in row.extractions)
        for row in GOLD
    ]
    told = evaluate(GOLD, {"x": Said(found, found)}, resamples=10)
    assert means(told, "x") == {"predicates": 1, GIVEN: 0, "arguments": 0, "triples": 0}
    assert told["x"].by_role == {A0: 0, A1: 0}


def test_differences_are_paired():
    nothing = Said([(), ()], [(), ()])
    result = evaluate(GOLD, {"a": nothing, "b": right()}, base="a", resamples=50)
    assert result["a"].gain is None and result["b"].gain is not None
    assert {gain.mean for gain in result["b"].gain.values()} == {1.0}
    row = json.loads(json.dumps(result.to_dict()))["rows"][1]
    assert row["gain"]["triples"]["low"] == 1.0 and row["by_role"] == {A0: 1.0, A1: 1.0}


def test_the_control_reads_words_alone():
    words = GOLD[0].words
    assert left_and_right(words, [(1, 2), (4, 5)]) == (
        ((1, 2, P), (0, 1, A0), (2, 4, A1)),
        ((4, 5, P), (2, 4, A0), (5, 7, A1)),
    )
    assert left_and_right(("ran", ",", "x"), [(0, 1)]) == (((0, 1, P),),)
    said = guessed(GOLD, [(((1, 2, P),),), ()])
    assert said.found == [(((1, 2, P), (0, 1, A0), (2, 7, A1)),), ()]
    result = evaluate(GOLD, {LEFT_RIGHT: said}, resamples=10)
    assert means(result, LEFT_RIGHT)[GIVEN] == pytest.approx(2 * 3 / (5 + 5))


def test_mistakes():
    with pytest.raises(UserError, match="no sentences"):
        evaluate([], {})
    with pytest.raises(UserError, match="one answer"):
        evaluate(GOLD, {"x": Said([()], [(), ()])})
