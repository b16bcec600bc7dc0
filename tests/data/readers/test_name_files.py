from __future__ import annotations

import gzip
import json

import pytest
from tiny_graphs import lines

from xadapt.core.errors import UserError
from xadapt.data.readers.name_files import CheckedNames, ScoredName, read_checked, read_names


def test_both_forms_are_read_and_names_stay_as_written(tmp_path):
    path = tmp_path / "de.m-nta.jsonl.gz"
    text = lines(
        {"wikidata_id": "Q1", "values": [[2, "Erde ", True], [1, "Terra", False]]},
        {"wikidata_id": "Q2", "values": ["Mond", "Luna"], "primary": [False, True]},
        {"id": "Q3", "values": []},
        {"wikidata_id": "Q1", "values": [[3, "Welt", False]]},
    )
    path.write_bytes(gzip.compress(text.encode()))
    assert read_names(str(path)) == {
        "Q1": (ScoredName("Welt", 3),),  # the later line of an entity counts
        "Q2": (ScoredName("Mond"), ScoredName("Luna", primary=True)),
        "Q3": (),
    }
    table = tmp_path / "de.tsv"
    table.write_text("Q1\tErde\nQ1\tTerra\t4\nQ2\tMond\n", encoding="utf-8")
    assert read_names(str(table)) == {
        "Q1": (ScoredName("Erde"), ScoredName("Terra", 4)), "Q2": (ScoredName("Mond"),)
    }  # fmt: skip


def test_checked_names(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text(
        lines(
            {"wikidata_id": "Q1", "correct_values": ["a", "a"], "incorrect_values": ["b"]},
            {"wikidata_id": "Q2", "correct_values": ["c"]},
        )
    )
    assert read_checked(str(path)) == {
        "Q1": CheckedNames(("a", "a"), ("b",)), "Q2": CheckedNames(("c",), ())
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"wikidata_id": "Q1"}, "no values"),
        ({"wikidata_id": "Q1", "values": "a"}, "no list"),
        ({"wikidata_id": "Q1", "values": [[1, "a"]]}, "no \\[score"),
        ({"wikidata_id": "Q1", "values": [[1, "a", 1]]}, "no \\[score"),
        ({"wikidata_id": "Q1", "values": [[True, "a", True]]}, "no whole number"),
        ({"wikidata_id": "Q1", "values": [[-1, "a", True]]}, "no whole number"),
        ({"wikidata_id": "Q1", "values": [[1e9, "a", True]]}, "no whole number"),
        ({"wikidata_id": "Q1", "values": [" "]}, "no text"),
        ({"wikidata_id": "Q1", "values": ["\ud800"]}, "surrogate"),
        ({"wikidata_id": 1, "values": ["a"]}, "wikidata_id is no text"),
        ({"values": ["a"]}, "wikidata_id is no text"),
        ([], "no JSON object"),
    ],
)
def test_faulty_lines_are_named(tmp_path, row, said):
    path = tmp_path / "names.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=said) as fault:
        read_names(str(path))
    assert fault.value.where.startswith(f"{path}:1")


def test_faulty_tables_and_gold(tmp_path):
    path = tmp_path / "names.tsv"
    for text, said in (("Q1\n", "1 column"), ("Q1\ta\tx\n", "no whole number"), ("", "empty")):
        path.write_text(text)
        with pytest.raises(UserError, match=said):
            read_names(str(path))
    gold = tmp_path / "gold.jsonl"
    for row, said in (
        ({"wikidata_id": "Q1", "values": ["a"]}, "no checked names"),
        ({"wikidata_id": "Q1", "correct_values": "a"}, "no list"),
        ({"correct_values": ["a"]}, "no text"),
    ):
        gold.write_text(lines(row))
        with pytest.raises(UserError, match=said):
            read_checked(str(gold))
