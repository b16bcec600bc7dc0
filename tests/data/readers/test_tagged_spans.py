from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.tagged_spans import TaggedSpans

GOOD = {
    "tokens": ["Ada", "met", "Bo"],
    "spans": [[2, 3, "PER"], {"start": 0, "end": 1, "label": "PER"}],
}


def read(path, *rows, notes=None):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(TaggedSpans().read(str(path), "en", notes))


def test_spans_of_both_forms_are_read_in_order(tmp_path):
    [row] = read(tmp_path / "a.jsonl", GOOD)
    assert row.words == ("Ada", "met", "Bo") and row.lang == "en"
    assert row.spans == ((0, 1, "PER"), (2, 3, "PER"))
    [none] = read(tmp_path / "a.jsonl", GOOD | {"spans": []})
    assert none.spans == ()


def test_labels_and_conll_are_read_too(tmp_path):
    [row] = read(tmp_path / "a.jsonl", {"tokens": ["Ada", "met"], "ner_tags": ["B-PER", "O"]})
    assert row.spans == ((0, 1, "PER"),)
    path = tmp_path / "a.conll"
    path.write_text("Ada B-PER\nmet O\n", encoding="utf-8")
    [same] = TaggedSpans().read(str(path), "en")
    assert same.spans == row.spans


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([[0, 4, "PER"]], "0-4 is empty or leaves a sentence of 3 words"),
        ([[-1, 1, "PER"]], "leaves"),
        ([[1, 1, "PER"]], "is empty"),
        ([[0, 2, "PER"], [1, 3, "LOC"]], "the spans 0-2 and 1-3 overlap"),
        ([[0, 1]], "is no span"),
        ([[0, 1.5, "PER"]], "is no span"),
        ([[True, 1, "PER"]], "is no span"),
        ([[0, 1, ""]], "is no span"),
        ([[0, 1, "A B"]], "is no span"),
        ([None], "is no span"),
        ("PER", "spans is no list"),
        (None, "spans is no list"),
    ],
)
def test_a_faulty_row_is_named_and_skipped(tmp_path, spans, said):
    notes = Notes()
    rows = read(tmp_path / "a.jsonl", GOOD, GOOD, GOOD | {"spans": spans}, notes=notes)
    assert len(rows) == 2
    [line] = [line for line in notes.lines if "skipped" in line]
    assert said in line and "a.jsonl:3" in line and "1 of 3" in line
    with pytest.raises(UserError, match=r"a.jsonl:1"):
        read(tmp_path / "a.jsonl", GOOD | {"spans": spans})
