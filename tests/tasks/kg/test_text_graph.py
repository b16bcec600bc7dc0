from __future__ import annotations

from itertools import pairwise

import networkx
import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph, names_of
from xadapt.data.readers.match_items import Item
from xadapt.tasks.kg.text_graph import build_graph, compress, expand, pruned, words_of

ROWS = [
    Item("r1", (("country", "Kenya"), ("cases", "many new cases"))),
    Item("r2", (("country", "Chad"), ("cases", "few"))),
]
TEXTS = [Item("t1", (("", "Many cases in KENYA!"),)), Item("t2", (("", "nothing"),))]


def edges(graph):
    """The edges as pairs of names."""
    names = {i: item.id for i, item in enumerate((*ROWS, *TEXTS))}
    names |= {node: term for term, node in graph.terms.items()}
    found = graph.edges.tocoo()
    pairs = zip(found.row.tolist(), found.col.tolist(), strict=True)
    return {tuple(sorted((names.get(a, f"#{a}"), names.get(b, f"#{b}")))) for a, b in pairs}


def test_the_graph_by_hand():
    graph = build_graph(ROWS, TEXTS)
    terms = {
        "kenya",
        "many",
        "new",
        "cases",
        "many new",
        "new cases",
        "many new cases",
        "chad",
        "few",
    }
    assert set(graph.terms) == terms and (graph.rows, graph.texts) == (2, 2)
    assert graph.nodes == 4 + len(terms) + 2  # two columns
    found = edges(graph)
    assert {pair for pair in found if "t1" in pair} == {
        ("kenya", "t1"), ("many", "t1"), ("cases", "t1")
    }  # fmt: skip
    assert {pair for pair in found if "r2" in pair} == {("chad", "r2"), ("few", "r2")}
    assert not [pair for pair in found if "t2" in pair]
    assert (graph.edges != graph.edges.T).nnz == 0
    columns = [pair for pair in found if "#" in pair[0]]
    assert len(columns) == len(terms)


def test_words_that_many_rows_have_are_left_out():
    rows = [Item(str(i), (("", f"the word{i}"),)) for i in range(60)]
    graph = build_graph(rows, TEXTS, common=0.5)
    assert "the" not in graph.terms and "word3" in graph.terms
    assert "the" in build_graph(rows, TEXTS, common=1).terms
    assert words_of("Déjà-vu, 1.5 mm!") == ["déjà-vu", "1.5", "mm"]


def test_terms_on_no_way_are_pruned():
    graph = pruned(build_graph([Item("r1", (("", "a b"),))], [Item("t1", (("", "a"),))]))
    assert {tuple(sorted(p)) for p in zip(*graph.edges.nonzero(), strict=True)} == {
        (0, graph.terms["a"]), (1, graph.terms["a"])
    }  # fmt: skip
    assert graph.nodes == 2 + 3


def test_knowledge_joins_terms():
    rows = [Item("r1", (("", "Berlin"),)), Item("r2", (("", "moon"),)), Item("r3", (("", "Mond"),))]
    texts = [Item("t1", (("", "Germany moon"),)), Item("t2", (("", "Germany"),))]
    rows.append(Item("r4", (("", "Germany"),)))
    ids = ("Q1", "Q2", "Q3", "Q4")
    knowledge = KnowledgeGraph(
        "k", ids,
        names_of(ids, {"en": [(0, "Berlin"), (1, "Germany"), (2, "Moon"), (3, "Sun")],
                       "de": [(2, "Mond")]}),
        ("in",), np.array([[0, 0, 1], [3, 0, 1]], np.int32), np.zeros(2, np.int8),
    )  # fmt: skip
    before = build_graph(rows, texts)
    graph = expand(before, knowledge)
    assert graph.nodes == before.nodes + 3  # Q4 is named by no term

    def distance(made, a, b):
        try:
            return networkx.shortest_path_length(networkx.from_scipy_sparse_array(made.edges), a, b)
        except networkx.NetworkXNoPath:
            return None

    assert distance(before, 2, 4) is None and distance(graph, 2, 4) == 4  # Mond, Q3, moon
    assert distance(before, 0, 5) is None and distance(graph, 0, 5) == 5  # Berlin, Q1, Q2, Germany


def test_compression_equals_a_slow_twin():
    draw = np.random.default_rng(0)
    words = [f"w{i}" for i in range(12)]
    rows = [Item(f"r{i}", (("", " ".join(draw.choice(words, 3))),)) for i in range(6)]
    texts = [Item(f"t{i}", (("", " ".join(draw.choice(words, 3))),)) for i in range(5)]
    graph = build_graph(rows, texts)
    small = compress(graph, 0.3, seed=4)
    count = int(0.3 * graph.nodes)
    again = np.random.default_rng(4)
    firsts = again.integers(0, 6, count)
    pairs = list(zip(firsts.tolist(), again.integers(6, 11, count).tolist(), strict=True))
    slow = networkx.from_scipy_sparse_array(graph.edges)
    wanted = set()
    for a, b in pairs:
        if networkx.has_path(slow, a, b):
            for way in networkx.all_shortest_paths(slow, a, b):
                wanted |= {frozenset(edge) for edge in pairwise(way)}
    assert {frozenset(p) for p in zip(*small.edges.nonzero(), strict=True)} == wanted
    assert 0 < small.edges.nnz < graph.edges.nnz
    assert compress(graph, 0, seed=4).edges.nnz == 0


def test_mistakes():
    with pytest.raises(UserError, match="rows and texts"):
        build_graph([], TEXTS)
    with pytest.raises(UserError, match="no row has a word"):
        build_graph([Item("r", (("", "!!"),))], TEXTS)
