from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.graphs.links import require_known
from xadapt.data.graphs.opening import open_graph, open_links

PARIS, FRANCE = "http://dbpedia.org/resource/Paris", "http://dbpedia.org/resource/F"
FR_PARIS, FR_FRANCE = "http://fr.dbpedia.org/resource/Paris", "http://fr.dbpedia.org/resource/G"


def test_names_facts_and_attributes(tmp_path):
    source = made(tmp_path / "EN_FR_15K_V2", "openea")
    graph = open_graph(source)
    assert graph.entities == (PARIS, FRANCE, FR_PARIS, FR_FRANCE)
    assert graph.languages == ("en", "fr") and graph.labels["en"][FRANCE] == ("France",)
    assert graph.labels["en"][PARIS] == ("Paris",) and graph.labels["fr"][FR_FRANCE] == ("G",)
    assert graph.attributes[FRANCE] == (
        ("http://xmlns.com/foaf/0.1/name", "France"),
        ("a/area", "5"),
    )
    assert len(graph.triples) == 2 and open_graph(f"{source}/2").lang == "fr"
    require_known(open_links(source), graph)


def test_folds_and_all_links(tmp_path):
    source = made(tmp_path / "a", "openea")
    links = open_links(source)
    assert links.counts() == {"train": 1, "dev": 1, "test": 1}
    assert links.of("train").pairs == ((FRANCE, FR_FRANCE),)
    assert open_links(f"{source}/fold1").sha256 == links.sha256
    with pytest.raises(UserError, match="no 721_5fold/2/train_links"):
        open_links(f"{source}/fold2")
    folds = {f"721_5fold/1/{part}_links": None for part in ("train", "valid", "test")}
    whole = open_links(made(tmp_path / "b", "openea", **folds))
    assert len(whole) == 2 and not whole.split


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rel_triples_1": "a\tb\n"}, "rel_triples_1:1: this line has 2 columns instead of 3"),
        ({"rel_triples_1": ""}, "rel_triples_1: this file is empty"),
        ({"rel_triples_2": None}, "there is no rel_triples_2"),
        ({"attr_triples_1": "a\tb\n"}, "attr_triples_1:1: this line has 2 columns"),
        ({"721_5fold/1/test_links": f"{FRANCE}\t{FR_FRANCE}\n"}, "is in train and in test"),
    ],
)
def test_faults_are_one_line(tmp_path, changed, message):
    source = made(tmp_path, "openea", **changed)
    with pytest.raises(UserError) as fault:
        open_graph(source)
        open_links(source)
    assert message in str(fault.value) and "\n" not in str(fault.value)
