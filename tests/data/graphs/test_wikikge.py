from __future__ import annotations

import pytest
from tiny_graphs import lines, made

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph


def test_names_of_three_forms(tmp_path):
    source = made(tmp_path, "wikikge")
    graph = open_graph(source)
    assert graph.languages == ("de", "ja") and graph.entities == ("Q1", "Q2")
    assert graph.labels["de"]["Q1"] == ("Erde", "Erde A")  # the primary name first
    assert graph.labels["ja"]["Q1"] == ("地球", "地")
    assert graph.attributes == {"Q2": (("incorrect de", "Sonne"),)}
    alone = open_graph(f"{source}/ja")
    assert alone.lang == "ja" and alone.entities == ("Q1",)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"values": []}, "de.jsonl:1: wikidata_id is no text"),
        ({"wikidata_id": "Q1", "values": "Erde"}, "values is no list"),
        ({"wikidata_id": "Q1", "values": [[1, "Erde"]]}, "a value is no [score, name, primary]"),
        ({"wikidata_id": "Q1", "values": [5]}, "a name is no text"),
        (
            {"wikidata_id": "Q1", "values": [], "incorrect_values": {}},
            "incorrect_values is no list",
        ),
    ],
)
def test_faults_are_one_line(tmp_path, row, message):
    with pytest.raises(UserError) as fault:
        open_graph(made(tmp_path, "wikikge", **{"de.jsonl": lines(row)}))
    assert message in str(fault.value) and "\n" not in str(fault.value)


def test_no_names(tmp_path):
    source = made(tmp_path, "wikikge")
    with pytest.raises(UserError, match="there are no such names"):
        open_graph(f"{source}/fr")
    with pytest.raises(UserError, match="there is no such folder"):
        open_graph(f"{source}/none/at/all")
