from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.readers.cldr_graph import build


def test_it_is_the_built_in_graph():
    graph, own = open_graph("cldr:sw,en"), build(("sw", "en"))
    assert graph.entities == own.entities and graph.languages == ("sw", "en")
    assert graph.labels["sw"]["territory:DE"] == ("Ujerumani",)
    assert {key: names for key, (names, *_) in graph.labels["sw"].items()} == own.labels["sw"]
    for part in ("train", "dev", "test"):
        assert [*graph.records(part)] == own.facts(part)
    assert graph.relation_labels["en"]["official_language"] == ("official language",)


def test_links_have_the_parts_of_the_entities():
    links, own = open_links("cldr:sw"), build(("sw",))
    for part in ("train", "dev", "test"):
        assert all(a == b and own.split[a] == part for a, b in links.of(part).pairs)
    with pytest.raises(UserError, match="the CLDR graph has no"):
        open_graph("cldr:tlh")
