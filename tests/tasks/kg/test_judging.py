"""Facts that identify, orders of candidates, and majorities."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twin_graphs import family, twins

from xadapt.tasks.kg.judging import (
    EntityFacts,
    Fact,
    KeyCounts,
    is_decided,
    latin_orders,
    majority,
    select_facts,
)


@given(st.integers(1, 12), st.integers(1, 15))
def test_each_round_has_every_candidate_once(candidates, rounds):
    orders = latin_orders(candidates, rounds, "x")
    assert len(orders) == rounds
    assert all(sorted(order) == list(range(candidates)) for order in orders)
    places = Counter((c, p) for order in orders for p, c in enumerate(order))
    most = -(-rounds // candidates)
    assert max(places.values()) <= most


@pytest.mark.parametrize("candidates", [2, 5, 9])
def test_with_as_many_rounds_each_candidate_is_once_at_each_place(candidates):
    orders = np.array(latin_orders(candidates, candidates, "x"))
    assert all(sorted(column) == list(range(candidates)) for column in orders.T.tolist())


def test_the_first_order_is_drawn_and_follows_from_the_seed():
    firsts = {tuple(latin_orders(5, 3, f"{i}")[0]) for i in range(200)}
    assert len(firsts) > 60
    assert latin_orders(5, 3, "a") == latin_orders(5, 3, "a")
    starts = Counter(latin_orders(10, 1, f"{i}")[0][0] for i in range(2000))
    assert all(140 < count < 260 for count in starts.values())


def test_more_than_half_of_all_rounds_are_a_majority():
    assert majority([1, 1, None], 3) == 1
    assert majority([1, None, None], 3) is None
    assert majority([1, 2], 2) is None and majority([], 1) is None
    assert majority([1, 1], 5) is None and majority([1, 1, 1], 5) == 1
    assert majority([0], 1) == 0


@given(st.lists(st.sampled_from([None, 0, 1, 2]), min_size=1, max_size=9))
def test_what_is_decided_early_is_what_all_rounds_decide(votes):
    rounds = len(votes)
    stop = next(n for n in range(rounds + 1) if is_decided(votes[:n], rounds))
    assert majority(votes[:stop], rounds) == majority(votes, rounds)
    rng = random.Random(0)
    for _ in range(20):  # whatever the rest says
        rest = [rng.choice([None, 0, 1, 2]) for _ in range(rounds - stop)]
        assert majority(votes[:stop] + rest, rounds) == majority(votes, rounds)


def test_functionality_and_values_by_hand():
    counts = KeyCounts(facts=8, subjects=4, values=2)
    assert counts.identifies("functionality") == 0.5 and counts.identifies("values") == 0.25


def fact(key, *values):
    return Fact((key,), key, values or ("x",))


def test_facts_that_identify_and_that_many_have_come_first():
    own = [fact("id"), fact("kind"), fact("rare")]
    others = [[fact("id"), fact("kind")], [fact("kind")], [fact("kind"), fact("id")]]
    counts = {("id",): KeyCounts(10, 10, 10), ("kind",): KeyCounts(40, 10, 2),
              ("rare",): KeyCounts(10, 9, 9)}  # fmt: skip
    # id: 1 * 3/4, kind: 1/4 * 4/4, rare: .9 * 1/4
    chosen = select_facts([own, *others], [counts] * 4, 2)
    assert [[f.name for f in one] for one in chosen] == [
        ["id", "kind"], ["id", "kind"], ["kind"], ["id", "kind"]
    ]  # fmt: skip
    by_values = select_facts([own], [counts], 3, "values")
    assert [f.name for f in by_values[0]] == ["id", "rare", "kind"]
    assert select_facts([own], [counts], 0) == [[]]


def test_relations_are_read_in_both_directions_with_names():
    facts = EntityFacts(family(6))
    names = [facts.name(e) for e in facts.graph.entities]
    found = {f.key: f for f in facts.relations("Q1")}
    assert str(found["next", "of"]) == f"neighbour: {names[2]}"
    assert str(found["next", "is of"]) == f"is neighbour of: {names[0]}"
    assert found["parity", "is of"].values == (names[3], names[5])
    assert facts.attributes("Q1") == []
    triples = facts.graph.triples
    parity = triples[triples[:, 1] == 1]
    counts = facts.counts["parity", "of"]
    assert counts == KeyCounts(len(parity), len(set(parity[:, 0])), len(set(parity[:, 2])))
    assert facts.counts["parity", "is of"].subjects == counts.values


def test_attributes_with_values_are_read_and_long_facts_are_cut():
    graph = replace(
        family(4),
        attributes={
            "Q0": (("http://a.org/birth_place#", " Oslo\n"), ("kind", ""), ("note", "long " * 99)),
            "Q1": (("note", "a"), ("note", "b"), ("note", "c"), ("note", "d"), ("note", "e")),
        },
    )
    facts = EntityFacts(graph)
    first, note = facts.attributes("Q0")
    assert str(first) == "birth place: Oslo" and len(str(note)) == 160
    assert str(facts.attributes("Q1")[0]) == "note: a, b, c and 2 more"
    assert facts.counts[("note",)] == KeyCounts(6, 2, 6)
    assert ("kind",) not in facts.counts


def test_entities_without_a_name_are_no_facts():
    left, _, _ = twins(8, 20)
    assert all(fact.values for e in left.entities for fact in EntityFacts(left).relations(e))
