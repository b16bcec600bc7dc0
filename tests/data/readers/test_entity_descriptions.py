"""Descriptions of a graph, and texts that are made of facts."""

from __future__ import annotations

import pytest
from tiny_named_graph import graph_folder

from xadapt.core.errors import UserError
from xadapt.data.readers.entity_descriptions import EntityDescriptions


def read(path, lang="de", **options):
    return list(EntityDescriptions(**options).read(f"kg:{graph_folder(path)}", lang))


def test_descriptions_with_names(tmp_path):
    rows = read(tmp_path)
    assert [(r.entity, r.text) for r in rows] == [
        ("Q1", "die Stadt an der Spree"), ("Q4", "ein Tier"),
    ]  # fmt: skip
    assert rows[1].names == (("de", "Katze"), ("de", "Hauskatze"), ("en", "cat"))


def test_texts_of_facts_stand_for_missing_descriptions(tmp_path):
    rows = read(tmp_path, from_facts=2)
    assert [(r.entity, r.text) for r in rows] == [
        ("Q1", "die Stadt an der Spree"),
        ("Q3", "flows through: Berlin."),
        ("Q4", "ein Tier"),
    ]


def test_a_graph_without_descriptions_is_refused():
    with pytest.raises(UserError, match="no description in sw"):
        list(EntityDescriptions().read("cldr", "sw"))
    assert not EntityDescriptions().claims("cldr", None)
