"""Sentences with an object: the ends of places, and the names of the object."""

from __future__ import annotations

import json

import pytest
from tiny_named_graph import graph_folder

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.relation_sentences import RelationSentences
from xadapt.objectives.triple_sentence import without_mention

# the end of the subject is inclusive, that of the object exclusive
ROW = {
    "token": ["Berlin", "is", "the", "capital", "of", "West", "Germany", "now"],
    "subj_start": 0, "subj_end": 0, "obj_start": 5, "obj_end": 7,
    "subj_label": "Q1", "obj_label": "Q2",
}  # fmt: skip


def read(path, rows, **options):
    file = path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes = Notes()
    return list(RelationSentences(**options).read(str(file), "en", notes)), notes.lines


def test_the_cut_is_the_object_and_nothing_else(tmp_path):
    [row], _ = read(tmp_path, [ROW])
    assert row.text[slice(*row.span)] == "West Germany" and row.entity == "Q2"
    assert without_mention(row) == "Berlin is the capital of now"
    first = {**ROW, "obj_start": 0, "obj_end": 1, "obj_label": "Q1"}
    [row], _ = read(tmp_path, [first])
    assert without_mention(row) == "is the capital of West Germany now"
    last = {**ROW, "obj_start": 7, "obj_end": 8}
    [row], _ = read(tmp_path, [last])
    assert without_mention(row) == "Berlin is the capital of West Germany"


def test_names_are_those_of_a_graph_or_the_mention(tmp_path):
    graph = graph_folder(tmp_path)
    [row], _ = read(tmp_path, [ROW], names=f"kg:{graph}")
    assert set(row.names) == {("de", "Deutschland"), ("en", "Germany"), ("sw", "Ujerumani")}
    [row], _ = read(tmp_path, [{**ROW, "obj_label": "Q99"}], names=f"kg:{graph}")
    assert row.names == (("en", "West Germany"),)


def test_texts_with_mentions(tmp_path):
    text = "Thom Yorke of Radiohead"
    mentions = [{"start": 0, "end": 10, "id": "Q5"}, {"start": 14, "end": 23, "id": "Q6"}]
    [row], _ = read(tmp_path, [{"text": text, "mentions": mentions}])
    assert without_mention(row) == "Thom Yorke of" and row.entity == "Q6"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**ROW, "obj_end": 9}, "not inside the 8 tokens"),
        ({**ROW, "obj_end": 5}, "not inside"),
        ({**ROW, "obj_start": "5"}, "no numbers"),
        ({**ROW, "token": "Berlin"}, "no list"),
        ({"text": "x", "mentions": []}, "no mention"),
        ({"text": "Berlin", "mentions": [{"start": 0, "end": 6}]}, "whole sentence"),
        ({}, "no text"),
    ],
)
def test_faults_are_one_line(tmp_path, row, said):
    with pytest.raises(UserError, match=said) as fault:
        read(tmp_path, [row])
    assert fault.value.where.endswith("rows.jsonl:1")
    assert len(read(tmp_path, [row, ROW, ROW])[0]) == 2


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="no sentence"):
        read(tmp_path, [])
    assert not RelationSentences().claims("x.jsonl", None)
