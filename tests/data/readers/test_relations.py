"""Relations in any form: rows with characters, tokens, tags, and rows in memory."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes, RowError
from xadapt.data.readers.relations import Relations, relation_row
from xadapt.data.readers.sides import Request
from xadapt.data.records import RelationExample

ROW = {
    "id": "3", "text": "Ada founded Acme.", "head": [0, 3], "tail": [12, 16],
    "relation": "org:founded_by", "lang": "sw", "types": ["PERSON", "ORGANIZATION"],
}  # fmt: skip
WANTED = RelationExample(
    "Ada founded Acme.", (0, 3), (12, 16), "org:founded_by", "sw", ("PERSON", "ORGANIZATION"),
    row="3",
)  # fmt: skip
TOKENS = ["Alain", "Roy", "heads", "Tana"]
INCLUSIVE = {
    "token": TOKENS, "relation": "x", "subj_start": 0, "subj_end": 1, "obj_start": 3, "obj_end": 3,
}  # fmt: skip
EXCLUSIVE = {"tokens": TOKENS, "label": "x", "entities": [[0, 2], [3, 4]]}
OF_TOKENS = RelationExample("Alain Roy heads Tana", (0, 9), (16, 20), "x", "en")


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_every_form(tmp_path):
    notes = Notes()
    path = write(tmp_path / "a.jsonl", [ROW, INCLUSIVE, EXCLUSIVE])
    assert list(Relations().read(path, "en", notes)) == [WANTED, OF_TOKENS, OF_TOKENS]
    assert notes.lines == ["a.jsonl: texts in en, sw"]
    (tmp_path / "a.json").write_text(json.dumps([INCLUSIVE]), encoding="utf-8")
    assert list(Relations().read(str(tmp_path / "a.json"), "en")) == [OF_TOKENS]
    (tmp_path / "a.txt").write_text("<e1>Ada</e1> founded <e2>Acme</e2>.\tx\n", encoding="utf-8")
    [found] = Relations().read(str(tmp_path / "a.txt"), "en")
    assert (found.text, found.head, found.tail) == ("Ada founded Acme.", (0, 3), (12, 16))


def test_rows_in_memory_and_parquet(tmp_path):
    rows = [{key: value for key, value in ROW.items() if key != "lang"}, EXCLUSIVE]
    found = read_in_memory(InMemory(rows), "relations", Request("sw", "en"), Notes())
    assert [row.lang for row in found] == ["sw", "sw"]
    records = [RelationExample("a b", (0, 1), (2, 3), "x", "sw")]
    given = read_in_memory(InMemory(records), "relations", Request("sw", "en"), Notes())
    assert list(given) == records
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([ROW]), tmp_path / "a.parquet")
    assert list(Relations().read(str(tmp_path / "a.parquet"), "en")) == [WANTED]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"head": [0, 30]}, "the head 0-30 is empty or leaves a text of 17 characters"),
        ({"tail": [12, 12]}, "the tail 12-12 is empty"),
        ({"tail": [-3, 4]}, "the tail -3-4 is empty or leaves"),
        ({"head": [0, 5], "tail": [2, 9]}, "cross each other"),
        ({"head": [3, 4]}, "spaces alone"),
        ({"head": [0.0, 3]}, "the head is not"),
        ({"head": None}, "the head is not"),
        ({"text": None}, "there is no text"),
        ({"relation": " "}, "there is no relation"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, changes, text):
    with pytest.raises(RowError, match=text):
        relation_row(ROW | changes, "en", "x")
    path = write(tmp_path / "a.jsonl", [ROW, ROW | changes, ROW])
    notes = Notes()
    assert len(list(Relations().read(path, "en", notes))) == 2
    assert "1 of 3 texts skipped; the first, a.jsonl:2" in notes.lines[0]
    with pytest.raises(UserError, match=text):
        list(Relations().read(write(tmp_path / "b.jsonl", [ROW | changes]), "en"))
