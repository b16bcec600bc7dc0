from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph, names_of
from xadapt.data.graphs.links import make_links
from xadapt.data.graphs.opening import open_graph
from xadapt.functional.metrics import reciprocal
from xadapt.tasks.kg.floors import (
    bare_name,
    frequency_ranks,
    same_names,
    tfidf_ranks,
    usual_names,
)


def graph(name: str, names: list[str], lang: str = "en") -> KnowledgeGraph:
    ids = tuple(f"{name}{i}" for i in range(len(names)))
    return KnowledgeGraph(name, ids, names_of(ids, {lang: list(enumerate(names))}), lang=lang)


def test_brackets_at_the_end():
    assert bare_name("Mercury (planet)") == "Mercury" and bare_name("(500) Days") == "(500) Days"
    assert bare_name("東京（都）") == "東京" and bare_name("(all)") == "(all)"


def test_same_names_by_hand():
    left, right = graph("l", ["Paris (city)", "Rome", "Oslo"]), graph("r", ["PARIS", "Roma", "x"])
    links = make_links("links", [("l0", "r0"), ("l1", "r1"), ("l2", "r2")])
    assert same_names(left, right, links).tolist() == [True, False, False]


def test_tfidf_finds_what_is_spelt_alike_in_both_pools():
    left, right = graph("l", ["Paris", "Rome"]), graph("r", ["Oslo", "Paris", "Roma", "Paris"])
    links = make_links("links", [("l0", "r1"), ("l1", "r2")])
    assert tfidf_ranks(left, right, links, "test").tolist() == [1, 1]
    assert tfidf_ranks(left, right, links).tolist() == [1.5, 1]  # two entities called Paris
    with pytest.raises(UserError, match="leads to nothing"):
        tfidf_ranks(left, right, make_links("l", [("l0", "r9")]))
    with pytest.raises(UserError, match="no links to rank"):
        tfidf_ranks(left, right, make_links("l", []))


def test_names_without_anything_in_common_are_chance():
    left, right = graph("l", ["日本", "京都"], "ja"), graph("r", ["Japan", "Kyoto", "Oslo"])
    ranks = tfidf_ranks(left, right, make_links("l", [("l0", "r0"), ("l1", "r1")]))
    assert ranks.tolist() == [2, 2]  # realistic: (3 + 1) / 2


FACTS = np.array(
    # head, relation, tail: tail 5 is the most frequent of relation 0
    [[0, 0, 5], [1, 0, 5], [2, 0, 4], [3, 0, 5], [3, 0, 4], [0, 0, 4], [4, 0, 3]],
    dtype=np.int32,
)
PARTS = np.array([0, 0, 0, 1, 2, 2, 2], dtype=np.int8)


def frequent() -> KnowledgeGraph:
    return replace(
        graph("g", [f"n{i}" for i in range(6)]), relations=("r",), triples=FACTS, parts=PARTS
    )


def test_most_frequent_tails_by_hand():
    # train counts: 5 twice, 4 once, others 0. (3, r, 4): 5 is known, so 4 is first.
    # (0, r, 4): 5 is known. (4, r, 3): 5 and 4 above, 4 tied: 2 + 5/2.
    assert frequency_ranks(frequent()).tolist() == [1, 1, 4.5]
    assert frequency_ranks(frequent(), "dev").tolist() == [1]
    with pytest.raises(UserError, match="there are no facts in dev"):
        frequency_ranks(replace(frequent(), parts=np.zeros(7, np.int8)), "dev")


@pytest.mark.parametrize("side", ["tail", "head"])
def test_frequencies_equal_a_slow_twin(side):
    draws = np.random.default_rng(0)
    facts = np.unique(draws.integers(0, 12, size=(80, 3)), axis=0).astype(np.int32)
    facts[:, 1] %= 3
    facts = np.unique(facts, axis=0)
    parts = draws.integers(0, 3, len(facts)).astype(np.int8)
    own = replace(
        graph("g", [f"n{i}" for i in range(12)]),
        relations=("p", "q", "r"),
        triples=facts,
        parts=parts,
    )
    ask, answer = (0, 2) if side == "tail" else (2, 0)
    slow = []
    for fact in facts[parts == 2]:
        rows = [f for f, part in zip(facts, parts, strict=True) if part == 0 and f[1] == fact[1]]
        score = [sum(int(f[answer] == e) for f in rows) for e in range(12)]
        known = {int(f[answer]) for f in facts if f[1] == fact[1] and f[ask] == fact[ask]}
        right = int(fact[answer])
        rest = [score[e] for e in range(12) if e not in known]
        better = sum(one > score[right] for one in rest)
        slow.append(1 + better + sum(one == score[right] for one in rest) / 2)
    assert frequency_ranks(own, side=side).tolist() == slow


def test_without_training_facts_it_is_chance():
    own = replace(frequent(), triples=FACTS[-1:], parts=PARTS[-1:])
    assert reciprocal(frequency_ranks(own)).mean() == pytest.approx(2 / (6 + 1))


def test_one_language_must_be_named(tmp_path):
    source = made(tmp_path, "kg")
    assert usual_names(open_graph(source), "sw") == {"a": "paka", "b": "mbwa"}
    with pytest.raises(UserError, match="names in en, sw"):
        usual_names(open_graph(source))
