from __future__ import annotations

import numpy as np
import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph, part_number
from xadapt.data.graphs.opening import open_graph
from xadapt.data.records import Triple


@pytest.fixture
def graph(tmp_path) -> KnowledgeGraph:
    return open_graph(made(tmp_path / "animals", "kg"))


def facts(graph, part=None):
    return [(one.head, one.relation, one.tail) for one in graph.records(part)]


def test_facts_by_part(graph):
    assert facts(graph, "train") == [("a", "fears", "b")]
    assert facts(graph, "test") == [("c", "fears", "a")] and len(graph.facts()) == 3
    assert next(graph.records()) == Triple("a", "fears", "b")
    with pytest.raises(UserError, match="did you mean 'train'"):
        graph.facts("trian")
    assert part_number("dev") == 1


def test_languages_are_found_by_their_meaning(graph):
    assert graph.languages == ("en", "sw") and graph.language("swh") == "sw"
    assert graph.names("swa")["a"] == ("paka", "nyau")
    with pytest.raises(UserError, match=r"no names in 'de'\. It has en, sw"):
        graph.names("deu")
    with pytest.raises(UserError, match="unknown language tag"):
        graph.names("nonsense")


def test_one_language_keeps_ids_and_relations(graph):
    swahili = graph.in_language("sw")
    assert swahili.entities == ("a", "b") and swahili.relations == graph.relations
    assert swahili.lang == "sw" and swahili.name == "animals/sw" and swahili.languages == ("sw",)
    assert facts(swahili) == [("a", "fears", "b"), ("b", "likes", "a")]
    assert swahili.parts.tolist() == [0, 1] and swahili.descriptions == {}
    assert swahili.in_language("sw") is swahili
    both = graph.in_languages(["sw", "en"])
    assert both.entities == graph.entities and facts(both) == facts(graph)


def test_entities_can_be_left_out(graph):
    left = graph.without(["a"])
    assert left.entities == ("b", "c") and facts(left) == [] and "legs" not in left.attributes
    assert dict(left.labels["sw"]) == {"b": ("mbwa",)} and left.descriptions == {}
    assert graph.without([]) is graph
    with pytest.raises(UserError, match="animals has no entity 'z' to exclude"):
        graph.without(["z"])


def test_linked_entities_become_one(graph):
    joined = graph.joined([("b", "a"), ("a", "b")])
    assert joined.entities == ("a", "c")
    assert joined.labels["sw"]["a"] == ("paka", "nyau", "mbwa")
    assert facts(joined) == [("a", "fears", "a"), ("a", "likes", "a"), ("c", "fears", "a")]
    assert joined.parts.tolist() == [0, 1, 2] and graph.joined([]) is graph
    assert joined.attributes == {"a": (("legs", "4"),)}
    with pytest.raises(UserError, match="no entity 'z' of the link a - z"):
        graph.joined([("a", "z")])


def test_a_fact_of_two_members_stays_once_in_each_part():
    graph = KnowledgeGraph(
        "g",
        ("a", "b", "c"),
        {},
        ("r",),
        np.array([[0, 0, 2], [1, 0, 2], [1, 0, 2]], dtype=np.int32),
        np.array([0, 0, 2], dtype=np.int8),
    )
    joined = graph.joined([("a", "b")])
    assert joined.triples.tolist() == [[0, 0, 1], [0, 0, 1]] and joined.parts.tolist() == [0, 2]


def test_the_original_is_not_changed(graph):
    before = (graph.triples.tolist(), dict(graph.labels["en"]), graph.entities)
    graph.without(["c"])
    graph.joined([("a", "c")])
    graph.in_language("sw")
    assert (graph.triples.tolist(), dict(graph.labels["en"]), graph.entities) == before


def test_counts(graph):
    counts = graph.counts()
    assert counts["entities"] == 3 and counts["facts"] == {"train": 1, "dev": 1, "test": 1}
    assert counts["names"] == {"en": 3, "sw": 3} and counts["named"] == {"en": 3, "sw": 2}
    assert counts["relation names"] == {"en": 1} and counts["attributes"] == 1


def test_new_ids(graph):
    new = graph.renamed(["x", "y", "z"])
    assert new.labels["en"]["z"] == ("bird",) and new.attributes == {"x": (("legs", "4"),)}
    assert facts(new, "test") == [("z", "fears", "x")]
