"""TACRED's JSON and MultiTACRED's JSON lines, by hand-computed offsets."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes, RowError
from xadapt.data.readers.tacred import Tacred, row_of_tokens
from xadapt.data.records import RelationExample

#                0      1   2         3   4       5        6
TOKENS = ["Alain", "Roy", "heads", "the", "Tana", "Group", "."]
TEXT = "Alain Roy heads the Tana Group ."
# Characters: Alain 0-5, Roy 6-9, heads 10-15, the 16-19, Tana 20-24, Group 25-30, . 31-32
INCLUSIVE = {
    "id": "a1", "token": TOKENS, "relation": "per:employee_of", "subj_start": 0, "subj_end": 1,
    "obj_start": 4, "obj_end": 5, "subj_type": "PERSON", "obj_type": "ORGANIZATION",
}  # fmt: skip
EXCLUSIVE = {
    "id": "a1", "tokens": TOKENS, "label": "per:employee_of", "entities": [[0, 2], [4, 6]],
    "grammar": ["SUBJ", "OBJ"], "type": ["PERSON", "ORGANIZATION"],
}  # fmt: skip
WANTED = RelationExample(
    TEXT, (0, 9), (20, 30), "per:employee_of", "en", ("PERSON", "ORGANIZATION"), row="a1"
)


def write(path, rows):
    lines = path.suffix == ".jsonl"
    text = "".join(json.dumps(row) + "\n" for row in rows) if lines else json.dumps(rows)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_both_shapes_give_the_same_record(tmp_path):
    assert TEXT[0:9] == "Alain Roy" and TEXT[20:30] == "Tana Group"
    for name, row in (("a.json", INCLUSIVE), ("a.jsonl", INCLUSIVE), ("b.jsonl", EXCLUSIVE)):
        [found] = Tacred().read(write(tmp_path / name, [row]), "en")
        assert found == WANTED and found.row == "a1", name


@pytest.mark.parametrize(
    ("subject", "object_", "head", "tail"),
    [
        ((0, 0), (6, 6), (0, 5), (31, 32)),  # the first and the last token
        ((6, 6), (0, 0), (31, 32), (0, 5)),  # the object first
        ((0, 1), (2, 2), (0, 9), (10, 15)),  # adjacent
        ((4, 5), (4, 4), (20, 30), (20, 24)),  # nested
        ((0, 6), (3, 3), (0, 32), (16, 19)),
    ],
)
def test_offsets_by_hand_and_there_and_back(subject, object_, head, tail):
    keys = ("subj_start", "subj_end", "obj_start", "obj_end")
    inclusive = INCLUSIVE | dict(zip(keys, (*subject, *object_), strict=True))
    found = row_of_tokens(inclusive, "en", "x")
    assert (found.head, found.tail) == (head, tail)
    entities = [[subject[0], subject[1] + 1], [object_[0], object_[1] + 1]]
    assert row_of_tokens(EXCLUSIVE | {"entities": entities}, "en", "x") == found
    moved = dict(zip(keys, (subject[0], subject[1] + 1, object_[0], object_[1] + 1), strict=True))
    assert row_of_tokens(INCLUSIVE | moved, "en", "x", "exclusive") == found
    kept = {"entities": [list(subject), list(object_)]}
    assert row_of_tokens(EXCLUSIVE | kept, "en", "x", "inclusive") == found


def test_a_translated_row_and_a_language_without_spaces():
    row = EXCLUSIVE | {
        "tokens_translated": ["塔纳", "集团", "由", "阿兰"], "language_translated": "ZH",
        "entities_translated": [[3, 4], [0, 2]],
    }  # fmt: skip
    found = row_of_tokens(row, "en", "x")
    assert (found.text, found.lang) == ("塔纳集团由阿兰", "zh")
    assert (found.head, found.tail) == ((5, 7), (0, 4))
    turned = EXCLUSIVE | {"grammar": ["OBJ", "SUBJ"], "entities": [[4, 6], [0, 2]]}
    assert row_of_tokens(turned, "en", "x") == WANTED


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"subj_end": 7}, "the head 0-7 is empty or leaves a text of 7 words"),
        ({"obj_start": 6}, "the tail 6-5 is empty"),
        ({"obj_start": -1}, "the tail -1-5 is empty or leaves"),
        ({"obj_end": "5"}, "obj_end is no whole number"),
        ({"obj_end": True}, "obj_end is no whole number"),
        ({"obj_start": 1, "subj_end": 4}, "cross each other"),
        ({"relation": None}, "there is no relation"),
        ({"token": "Alain Roy"}, "token is no list of words"),
        ({"token": []}, "token is no list of words"),
        ({"lang": "no tag"}, "is no language tag"),
        ({"entities": [[0, 1]]}, "entities is not"),
    ],
)
def test_a_faulty_row_is_named(changes, text):
    with pytest.raises(RowError, match=text):
        row_of_tokens(INCLUSIVE | changes, "en", "x")


def test_faulty_rows_are_skipped_and_counted(tmp_path):
    rows = [INCLUSIVE, INCLUSIVE, INCLUSIVE | {"subj_end": 70}, 5]
    notes = Notes()
    with pytest.raises(UserError, match="leaves a text"):
        list(Tacred().read(write(tmp_path / "a.json", rows), "en", notes))
    found = list(Tacred().read(write(tmp_path / "a.json", [*rows, INCLUSIVE]), "en", notes))
    assert len(found) == 3 and "2 of 5 texts skipped; the first, a.json:[3]" in notes.lines[0]
    assert [type(row) for row in Tacred().read_each(str(tmp_path / "a.json"), "en")] == [
        RelationExample, RelationExample, RowError, RowError, RelationExample
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "text"),
    [("{}", "no list of texts"), ("[]", "no text with a relation"), ("[", "JSON"), ("", "JSON")],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, text):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=text):
        list(Tacred().read(str(tmp_path / "a.json"), "en"))
    with pytest.raises(UserError, match="no such file"):
        list(Tacred().read(str(tmp_path / "none.json"), "en"))
