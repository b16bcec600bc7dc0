from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links

ONE, TWO = "http://x/Q1", "http://x/Q2"


def test_names_facts_and_links(tmp_path):
    source = made(tmp_path, "ntriples")
    graph = open_graph(source)
    assert graph.entities == (ONE, TWO) and graph.languages == ("de", "en", "ja")
    assert graph.labels["de"][ONE] == ("Berlin", "Groß-Berlin")
    assert graph.labels["ja"][ONE] == ('ベルリン "市"',)
    assert graph.relations == ("http://x/capital_of",) and graph.triples.tolist() == [[0, 0, 1]]
    assert graph.relation_labels["en"]["http://x/capital_of"] == ("capital of",)
    assert graph.descriptions["de"][ONE] == ("Hauptstadt",)
    assert open_links(source).pairs == ((ONE, "http://y/1"),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<a> <b>", "a.nt:1: this line is no statement of N-Triples"),
        ("<a> <b> <c>", "this line is no statement"),
        ('<a> <b> "text .', "this line is no statement"),
        ('<a> <http://www.w3.org/2000/01/rdf-schema#label> "\\x" .', "\\x is no escape"),
        ('<a> <http://www.w3.org/2000/01/rdf-schema#label> "\\uD800" .', "half a surrogate"),
        ('<a> <http://www.w3.org/2000/01/rdf-schema#label> "\\UFFFFFFFF" .', "is no character"),
        ("", "this file is empty"),
        ("# a remark alone\n", "there is no entity in this graph"),
    ],
)
def test_faults_are_one_line(tmp_path, line, message):
    with pytest.raises(UserError) as fault:
        open_graph(made(tmp_path, "ntriples", **{"a.nt": line}))
    assert message in str(fault.value) and "\n" not in str(fault.value)


def test_a_relation_with_names_of_its_own(tmp_path):
    text = (
        "<a> <r> <b> .\n"
        '<r> <http://www.w3.org/2000/01/rdf-schema#label> "liebt"@de .\n'
        '<a> <http://www.w3.org/2000/01/rdf-schema#label> "no language" .\n'
    )
    graph = open_graph(made(tmp_path, "ntriples", **{"a.nt": text}))
    assert graph.relation_labels["de"]["r"] == ("liebt",)
    assert graph.labels["und"]["a"] == ("no language",) and graph.language("und") == "und"
