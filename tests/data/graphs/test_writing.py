from __future__ import annotations

import hashlib
import json

import pytest
from tiny_graphs import LAYOUTS, made

from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.graphs.writing import write_graph


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_reads_back(tmp_path, layout):
    graph = open_graph(made(tmp_path / "in_ja_en", layout))
    out = tmp_path / "out"
    out.mkdir()
    about = write_graph(out, graph, facts={"note": 1})
    again = open_graph(f"kg:{out}")
    assert again.entities == graph.entities and again.relations == graph.relations
    order = graph.parts.argsort(kind="stable")
    assert again.triples.tolist() == graph.triples[order].tolist()
    assert again.parts.tolist() == graph.parts[order].tolist()
    for field in ("labels", "descriptions", "relation_labels"):
        own = {lang: dict(names) for lang, names in getattr(graph, field).items()}
        assert {lang: dict(names) for lang, names in getattr(again, field).items()} == own
    assert dict(again.attributes) == dict(graph.attributes) and again.counts() == graph.counts()
    assert json.loads((out / "kg.json").read_text(encoding="utf-8")) == about
    assert about["note"] == 1
    for name, file in about["files"].items():
        raw = (out / name).read_bytes()
        assert file == {"rows": raw.count(b"\n"), "sha256": hashlib.sha256(raw).hexdigest()}


def test_links_read_back_by_part(tmp_path):
    source = made(tmp_path / "in", "kg")
    graph, links = open_graph(source), open_links(source)
    (tmp_path / "out").mkdir()
    write_graph(tmp_path / "out", graph, links)
    assert open_links(f"kg:{tmp_path}/out").sha256 == links.sha256
    assert not (tmp_path / "out" / "links_dev.tsv").exists()
