from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.joining import copied_facts, pairs_of_names, side_by_side, united
from xadapt.data.graphs.links import make_links
from xadapt.data.graphs.opening import open_graph, open_links


def test_graphs_side_by_side_keep_their_facts(tmp_path):
    source = made(tmp_path / "kg", "kg of languages")
    ja, en = open_graph(f"{source}/ja"), open_graph(f"{source}/en")
    both = united("both", {"ja": ja, "en": en})
    assert both.entities == ("ja:0", "ja:1", "en:0", "en:1", "en:2")
    assert both.labels["en"]["en:2"] == ("Kyoto",) and both.labels["ja"]["ja:0"] == ("東京",)
    facts = {(one.head, one.relation, one.tail) for one in both.records("train")}
    assert facts == {("ja:0", "1", "ja:1"), ("en:1", "0", "en:0")}
    assert both.relations == ("0", "1") and both.relation_labels["en"]["1"] == ("country",)
    with pytest.raises(UserError, match="the id '0' is in both graphs"):
        side_by_side("x", ja, en)


def test_copied_facts_by_hand(tmp_path):
    source = made(tmp_path / "kg", "kg of languages")
    graph, links = open_graph(source), open_links(source)
    tests = [(one.head, one.relation, one.tail) for one in graph.records("test")]
    assert tests == [("en:0", "1", "en:1"), ("ja:1", "0", "ja:0")]
    assert copied_facts(graph, links).tolist() == [True, True]
    assert copied_facts(graph, links.of("train")).tolist() == [False, False]
    assert copied_facts(graph, make_links("none", [])).tolist() == [False, False]
    with pytest.raises(UserError, match="leads to nothing"):
        copied_facts(graph, make_links("x", [("ja:0", "en:9")]))


def test_pairs_of_names(tmp_path):
    graph = open_graph(made(tmp_path, "kg"))
    assert list(pairs_of_names(graph, "sw", "en")) == [("a", "paka", "cat"), ("b", "mbwa", "dog")]
