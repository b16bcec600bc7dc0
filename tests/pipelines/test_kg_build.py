from __future__ import annotations

import pytest
from tiny_graphs import made, write

from xadapt.core.errors import UserError
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.pipelines.kg_build import build_graph


def test_from_python_with_objects(tmp_path):
    source = made(tmp_path / "in", "kg of languages")
    graph, links = open_graph(source), open_links(source)
    made_ = build_graph(graph, tmp_path / "out", links=links)
    assert made_.about["links"] == {"train": 1, "dev": 0, "test": 1}
    assert made_.about["copied"] == {"facts": 2, "share": 1.0}
    assert made_.to_dict()["notes"] == [] and made_.about["name"] == graph.name
    bare = build_graph(graph, tmp_path / "bare")
    assert "links" not in bare.about and not (tmp_path / "bare" / "links_train.tsv").exists()


def test_links_without_parts_are_split_by_default(tmp_path):
    source = made(tmp_path / "pets", "kg")
    entities = "".join(f"e{i}\n" for i in range(60))
    write(
        tmp_path / "many",
        {
            "entities.tsv": entities,
            "names_sw.tsv": "".join(f"e{i}\tn{i}\n" for i in range(60)),
            "links.tsv": "".join(f"e{i}\te{i + 30}\n" for i in range(30)),
        },
    )
    found = build_graph(f"kg:{tmp_path}/many", tmp_path / "out").about
    assert found["split"] == {"shares": "30/10/60", "seed": 0} and all(found["links"].values())
    kept = build_graph(source, tmp_path / "kept").about
    assert "split" not in kept and kept["links"] == {"train": 1, "dev": 0, "test": 1}


def test_no_local_folder_is_stored(tmp_path):
    source = made(tmp_path / "pets", "kg")
    build_graph(source, tmp_path / "out")
    assert str(tmp_path) not in (tmp_path / "out" / "kg.json").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="no language is named"):
        build_graph(source, tmp_path / "none", langs=" ")
