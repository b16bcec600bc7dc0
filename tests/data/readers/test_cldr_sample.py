from __future__ import annotations

from xadapt.core.resources import resource
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.cldr_sample import LANGUAGES, ROWS, write_sample


def rows(path):
    return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()]


def test_sample_is_of_the_graph(tmp_path):
    write_sample(tmp_path)
    graph = build(LANGUAGES)
    labels, triples = rows(tmp_path / "labels.tsv"), rows(tmp_path / "triples.tsv")
    assert len(labels) == len(triples) == ROWS == len(set(labels)) == len(set(triples))
    assert all(graph.labels[tag][entity] == name for entity, tag, name in labels)
    assert {t[1] for t in triples} == {t.relation for t in graph.triples}


def test_shipped_sample_still_describes_the_graph():
    """Another Babel may rename a few; far more means that the layout has changed."""
    graph = build(LANGUAGES)
    labels = rows(resource("kg_data", "cldr", "labels.tsv"))
    assert sum(graph.labels[tag].get(e) == name for e, tag, name in labels) >= 0.8 * ROWS
    facts = {(t.head, t.relation, t.tail) for t in graph.triples}
    assert len(facts & set(rows(resource("kg_data", "cldr", "triples.tsv")))) >= 0.8 * ROWS
