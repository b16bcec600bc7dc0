from __future__ import annotations

import numpy as np
import pytest
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import make_links
from xadapt.tasks.kg.two_graphs import TwoGraphs, digest_of, positions


def graph(name, relations, triples, entities=3):
    ids = tuple(f"{name}{i}" for i in range(entities))
    facts = np.array(triples, np.int32).reshape(-1, 3)
    return KnowledgeGraph(name, ids, {}, relations, facts, np.zeros(len(facts), np.int8))


def test_facts_stand_side_by_side_and_relations_with_one_id_are_one():
    left = graph("a", ("near", "in"), [(0, 0, 1), (1, 1, 2)])
    right = graph("b", ("in", "of"), [(0, 0, 2), (2, 1, 0)])
    both = TwoGraphs.of(left, right)
    assert (both.left, both.right, both.entities, both.relations) == (3, 3, 6, 3)
    assert both.triples.tolist() == [[0, 0, 1], [1, 1, 2], [3, 1, 5], [5, 2, 3]]


def test_links_become_positions_once():
    left, right, links = twins()
    found = positions(links, left, right)
    assert found.shape == (60, 2)
    assert [(left.entities[a], right.entities[b]) for a, b in found] == list(links.pairs)
    twice = make_links("x", [*links.pairs, links.pairs[0]])
    assert len(positions(twice, left, right)) == 60


def test_what_gives_no_structure_is_refused():
    left, right, _ = twins()
    bare = graph("empty", (), [])
    with pytest.raises(UserError, match="no facts") as fault:
        TwoGraphs.of(left, bare)
    assert fault.value.where == "empty"
    with pytest.raises(UserError, match="same facts"):
        TwoGraphs.of(left, left)
    with pytest.raises(UserError, match="leads to nothing"):
        positions(make_links("x", [("de0", "nobody")]), left, right)


def test_the_digest_sees_every_change():
    left, *_ = twins()
    again, *_ = twins()
    assert digest_of(left) == digest_of(again)
    changed = [
        left.renamed(("x", *left.entities[1:])),
        left.restricted(np.arange(60) > 0),
        graph("a", left.relations, left.triples[::-1], 60),
    ]
    assert len({digest_of(one) for one in (left, *changed)}) == 4
