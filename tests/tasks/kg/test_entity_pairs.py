from __future__ import annotations

from pathlib import Path

import pytest
from tiny_graphs import DBP5L, KG, write
from twin_graphs import write_twins

from xadapt.core.errors import UserError
from xadapt.tasks.entities import Part
from xadapt.tasks.kg.entity_pairs import entity_pairs


def test_test_links_are_the_queries_and_all_names_the_pool(tmp_path):
    left, _, links = write_twins(tmp_path)
    folder = Path(left.removeprefix("kg:").removesuffix("/1"))
    rows = [line.split("\t") for line in Path(links).read_text(encoding="utf-8").splitlines()]
    for part in ("train", "test"):
        lines = [f"{a}\t{b}\n" for a, b, own in rows if (own == "test") == (part == "test")]
        (folder / f"align_{part}.tsv").write_text("".join(lines), encoding="utf-8")
    test, others = entity_pairs(f"kg:{folder}", "de", "en", "all")
    assert len(test) == 15 and len({row.entity for row in test}) == 15 and len(others) == 120
    assert all(row.lang == "de" and row.pivot_lang == "en" for row in test)
    turned, _ = entity_pairs(f"kg:{folder}", "en", "de", "test")
    assert {(row.pivot, row.text) for row in turned} == {(row.text, row.pivot) for row in test}
    result = Part.evaluate(test, {}, others=others, resamples=10)
    assert result.facts["pool_size"] == {"to_pivot": 60, "from_pivot": 60}
    assert result.facts["queries"] == {"to_pivot": 15, "from_pivot": 15}
    assert result.facts["pool"] == "all"


def test_links_that_share_an_entity_make_one(tmp_path):
    folder = write(tmp_path, DBP5L)
    rows, others = entity_pairs(f"dbp5l:{folder}", "ja", "en", "test")
    assert len(rows) == 4 and others == []
    assert len({row.entity for row in rows}) == 2


def test_without_links_the_entities_with_both_names_are_asked(tmp_path):
    files = {name: text for name, text in KG.items() if not name.startswith("links")}
    folder = write(tmp_path, files)
    rows, others = entity_pairs(f"kg:{folder}", "sw", "en", "all")
    assert [(row.text, row.pivot) for row in rows] == [("paka", "cat"), ("mbwa", "dog")]
    assert [row.pivot for row in others if row.pivot] == ["cat", "dog", "bird"]


def test_languages_without_links_are_refused(tmp_path):
    folder = write(tmp_path, DBP5L)
    with pytest.raises(UserError, match="no test link"):
        entity_pairs(f"dbp5l:{folder}", "de", "en", "all")
    with pytest.raises(UserError, match="no names in"):
        entity_pairs(f"dbp5l:{folder}", "sw", "en", "all")
