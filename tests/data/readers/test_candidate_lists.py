from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.candidate_lists import CandidateLists
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import CandidateList
from xadapt.data.transforms.split import group_pairs

ROW = {"text": "dolor", "candidates": ["pain; ache", "fever"], "scores": [0.8, 1], "right": 0,
       "concept": "C1", "lang": "es"}  # fmt: skip


def read(path, *rows):
    file = path / "lists.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes = Notes()
    return list(CandidateLists().read(str(file), "de", notes)), notes.lines


def test_rows_of_both_kinds(tmp_path):
    none = {"text": "x", "candidates": ["y"], "scores": [0.1], "right": None}
    rows, notes = read(tmp_path, ROW, none, {**ROW, "right": -1})
    wanted = CandidateList("dolor", ("pain; ache", "fever"), (0.8, 1.0), 0, "es", concept="C1")
    assert rows[:2] == [wanted, CandidateList("x", ("y",), (0.1,), -1, "de")] and not notes
    assert rows[2].correct == -1 and rows[0].origin.endswith("lists.jsonl:1")
    table = InMemory([ROW, ROW])
    assert list(read_in_memory(table, "candidate_lists", Request("de", "de"), Notes())) == [
        wanted, wanted,
    ]  # fmt: skip


def test_mentions_of_one_concept_stay_together_and_seen_texts_hold_no_key(tmp_path):
    rows, _ = read(tmp_path, ROW, {**ROW, "text": "Schmerz", "lang": "de"}, {**ROW, "text": "a",
                   "concept": "C2"})  # fmt: skip
    assert sorted(map(sorted, group_pairs(rows))) == [[0, 1], [2]]
    assert rows[0].seen_texts() == ("dolor", "pain; ache")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": ""}, "the text is empty"),
        ({"text": 3}, "the text holds int"),
        ({"candidates": []}, "no list of candidates"),
        ({"candidates": "pain"}, "no list of candidates"),
        ({"candidates": ["pain", None]}, "a candidate holds nothing"),
        ({"scores": [1]}, "a score for each candidate"),
        ({"scores": None}, "a score for each candidate"),
        ({"scores": [1, "2"]}, "no finite number"),
        ({"scores": [1, True]}, "no finite number"),
        ({"right": 2}, "no position"),
        ({"right": "0"}, "no position"),
        ({"right": True}, "no position"),
        ({"lang": 4}, "no language tag"),
    ],
)
def test_faults_are_skipped_and_named(tmp_path, change, said):
    rows, notes = read(tmp_path, ROW, ROW, {**ROW, **change})
    assert len(rows) == 2 and len(notes) == 1 and said in notes[0]
    with pytest.raises(UserError, match=said):
        read(tmp_path, {**ROW, **change})


def test_what_is_no_list_of_rows(tmp_path):
    with pytest.raises(UserError, match="no mention"):
        read(tmp_path)
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "x", "candidates": ["y"], "scores": [NaN]}\n')
    with pytest.raises(UserError):
        list(CandidateLists().read(str(file), "de"))
    file.write_text("dolor\tpain\n")
    with pytest.raises(UserError, match="JSON"):
        list(CandidateLists().read(str(file), "de"))
