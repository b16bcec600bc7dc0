"""Names of a graph for the readers of records: parts of the built-in graph, joined entities."""

from __future__ import annotations

import pytest
from tiny_named_graph import graph_folder

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.graph_rows import NamedGraphRecords, is_part_of_cldr, named_rows
from xadapt.data.readers.notes import Notes


def test_parts_of_the_built_in_graph_share_no_entity():
    graph = build()
    parts = {part: named_rows(f"cldr:{part}", Notes()) for part in ("train", "dev", "test")}
    for part, rows in parts.items():
        assert {graph.split[entity] for entity in rows.entities} == {part}
        assert all(entity in set(rows.entities) for own in rows.names.values() for entity in own)
    assert named_rows("cldr", Notes()).entities == parts["train"].entities
    assert len(named_rows("cldr:all", Notes()).entities) == len(graph.entities)
    assert {fact[0] for fact in parts["train"].facts} <= set(parts["train"].entities)


def test_which_sources_are_parts():
    assert is_part_of_cldr("cldr") and is_part_of_cldr("cldr:test")
    assert not is_part_of_cldr("cldr:sw,en") and not is_part_of_cldr("kg:cldr")


def test_languages_and_names(tmp_path):
    rows = named_rows(f"kg:{graph_folder(tmp_path)}", Notes())
    assert rows.chosen("de", ("en", "fr"), "kg") == ["de", "en"]
    assert rows.chosen("de", ("all",), "kg")[0] == "de"
    assert rows.of("Q1", ["de", "en"]) == (("de", "Berlin"), ("en", "Berlin City"))
    assert rows.of("P1", ["en"], "relations") == (("en", "capital of"),)
    with pytest.raises(UserError, match="no names in 'ja'"):
        rows.chosen("ja", (), "kg")


def test_excluded_entities_never_occur(tmp_path):
    folder = graph_folder(tmp_path)
    (tmp_path / "test.tsv").write_text("Q2\tQ2\n", encoding="utf-8")
    reader = NamedGraphRecords(exclude_links=str(tmp_path / "test.tsv"))
    rows = reader.rows(f"kg:{folder}", Notes())
    assert "Q2" not in rows.entities and all("Q2" not in fact for fact in rows.facts)
    assert all("Q2" not in own for own in (*rows.names.values(), *rows.descriptions.values()))
