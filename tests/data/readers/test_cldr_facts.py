from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_facts import CldrFacts
from xadapt.data.readers.cldr_graph import build
from xadapt.data.records import Triple


def test_facts_of_each_part_are_those_of_the_graph():
    graph = build(("en",))
    for source, part in (("cldr", "train"), ("cldr:test", "test"), ("cldr:de:dev", "dev")):
        rows = list(CldrFacts().read(source, "de"))
        assert rows == graph.facts(part) and rows == sorted(
            rows, key=lambda t: (t.head, t.relation, t.tail)
        )
    assert len(list(CldrFacts().read("cldr:all", "de"))) == len(graph.triples)
    assert Triple("territory:DE", "currency", "currency:EUR") in CldrFacts().read("cldr:all", "de")


def test_another_language_or_no_graph_is_refused():
    with pytest.raises(UserError, match="the source is sw, but de was asked for"):
        list(CldrFacts().read("cldr:sw", "de"))
    with pytest.raises(UserError, match="no source of the CLDR graph"):
        list(CldrFacts().read("facts.tsv", "de"))
    assert not CldrFacts().claims("cldr", None)
