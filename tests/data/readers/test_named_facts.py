"""Training facts with names, and relations that are named in another language alone."""

from __future__ import annotations

import pytest
from tiny_named_graph import graph_folder

from xadapt.core.errors import UserError
from xadapt.data.readers.named_facts import NamedFacts
from xadapt.data.readers.notes import Notes


def read(path, lang="de", **options):
    notes = Notes()
    return list(NamedFacts(**options).read(f"kg:{graph_folder(path)}", lang, notes)), notes.lines


def test_facts_of_train_alone_with_names(tmp_path):
    rows, notes = read(tmp_path)
    assert [(r.head, r.relation, r.tail) for r in rows] == [("Q1", "P1", "Q2"), ("Q3", "P2", "Q1")]
    first = rows[0]
    assert first.heads == (("de", "Berlin"),) and first.relations == (("en", "capital of"),)
    assert first.tails == (("de", "Deutschland"), ("en", "Germany")) and first.lang == "de"
    assert not notes


def test_without_further_languages_a_relation_has_the_names_it_has(tmp_path):
    rows, _ = read(tmp_path, pair_with=())
    assert rows[0].relations == (("en", "capital of"),)
    assert rows[0].tails == (("de", "Deutschland"),)


def test_facts_without_names_are_counted_or_refused(tmp_path):
    with pytest.raises(UserError, match="no fact has names in sw"):
        read(tmp_path, "sw")


def test_the_built_in_graph_has_names_of_relations():
    rows = list(NamedFacts().read("cldr", "sw"))
    assert len(rows) > 300 and rows[0].relations[0][0] == "en"
    assert not NamedFacts().claims("cldr", None)
