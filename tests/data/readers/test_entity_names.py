"""Names with their other names, from a small graph and from the built-in one."""

from __future__ import annotations

import pytest
from tiny_named_graph import graph_folder

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.entity_names import EntityNamesReader
from xadapt.data.readers.notes import Notes


def read(path, lang="de", **options):
    notes = Notes()
    rows = list(EntityNamesReader(**options).read(f"kg:{graph_folder(path)}", lang, notes))
    return rows, notes.lines


def test_each_name_with_names_in_the_pivot_and_aliases(tmp_path):
    rows, notes = read(tmp_path)
    assert [(r.entity, r.text, r.pivot) for r in rows] == [
        ("Q1", "Berlin", "Berlin City"),
        ("Q2", "Deutschland", "Germany"),
        ("Q4", "Katze", "cat"),
        ("Q4", "Hauskatze", "cat"),
    ]
    assert rows[2].others == (("de", "Hauskatze"), ("en", "cat"))
    assert {(r.lang, r.pivot_lang) for r in rows} == {("de", "en")}
    assert "1 names in de have no other name and are left out" in notes[-1]  # Spree and spree


def test_every_language(tmp_path):
    rows, _ = read(tmp_path, pair_with=("all",))
    assert rows[1].others == (("en", "Germany"), ("sw", "Ujerumani"))


def test_both_ends_of_each_fact(tmp_path):
    rows, _ = read(tmp_path, by="triples")
    assert [r.entity for r in rows] == ["Q1", "Q2", "Q1"]  # Q3 has no other name


def test_a_language_without_a_partner_is_refused(tmp_path):
    with pytest.raises(UserError, match="no name in sw has another name in fr"):
        read(tmp_path, "sw", pair_with=("fr",))


def test_splits_keep_entities_and_equal_names_together(tmp_path):
    rows, _ = read(tmp_path)
    keys = [set(row.split_texts()) for row in rows]
    assert keys[2] & keys[3] and not keys[0] & keys[1]


def test_names_of_test_entities_never_occur_in_training():
    graph = build()
    held = {graph.labels["sw"][e] for e in graph.labels["sw"] if graph.split[e] == "test"}
    rows = list(EntityNamesReader(pair_with=("en", "fr")).read("cldr", "sw"))
    assert len(rows) > 300 and not {r.text for r in rows} & held
    assert {graph.split[r.entity] for r in rows} == {"train"}
    assert not EntityNamesReader().claims("cldr", None)
