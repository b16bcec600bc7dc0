"""Sentences with open triples as rows."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.open_triples import OpenTriplesReader

GOOD = {
    "tokens": ["Ada", "built", "the", "house"],
    "extractions": [[[0, 1, "A0"], [1, 2, "P"], [2, 4, "A1"]], [[1, 2, "P"]]],
}


def read(path, *rows, notes=None):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(OpenTriplesReader().read(str(path), "en", notes))


def test_extractions_are_read_with_their_predicate_first(tmp_path):
    one, two, none = read(tmp_path / "a.jsonl", GOOD | {"lang": "deu"}, GOOD | {"lang": "en"},
                          GOOD | {"extractions": [], "lang": "en"})  # fmt: skip
    assert one.words == ("Ada", "built", "the", "house") and one.lang == "de" and two.lang == "en"
    assert one.extractions == (((1, 2, "P"), (0, 1, "A0"), (2, 4, "A1")), ((1, 2, "P"),))
    assert none.extractions == () and one.origin.endswith("a.jsonl:1")
    assert read(tmp_path / "b.jsonl", GOOD)[0].lang == "en"


@pytest.mark.parametrize(
    ("extractions", "said"),
    [
        ("none", "extractions is no list"),
        ([[]], "needs one predicate"),
        ([[[0, 1, "A0"]]], "needs one predicate"),
        ([[[0, 1, "P"], [1, 2, "P"]]], "each role once"),
        ([[[0, 1, "P"], [1, 2, "A0"], [2, 3, "A0"]]], "each role once"),
        ([[[0, 2, "P"], [1, 2, "A0"]]], "overlap"),
        ([[[0, 5, "P"]]], "is no span of 4 words"),
        ([[[1, 1, "P"]]], "is no span"),
        ([[[0, True, "P"]]], "is no span"),
        ([[[0, 1, "A9"]]], "is no span"),
        ([[[0, 1]]], "is no span"),
        ([5], "needs one predicate"),
    ],
)
def test_a_faulty_sentence_is_skipped_and_told(tmp_path, extractions, said):
    notes = Notes()
    rows = read(tmp_path / "a.jsonl", GOOD, GOOD, GOOD | {"extractions": extractions}, notes=notes)
    assert len(rows) == 2 and said in str(notes.lines)
    with pytest.raises(UserError, match=said):
        read(tmp_path / "b.jsonl", GOOD | {"extractions": extractions})


def test_other_files_and_languages_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.jsonl, \.parquet or hf:"):
        list(OpenTriplesReader().read(str(tmp_path / "a.conllu"), "en"))
    with pytest.raises(UserError, match="is no language"):
        read(tmp_path / "a.jsonl", GOOD | {"lang": 5})
    with pytest.raises(UserError, match="no column"):
        read(tmp_path / "a.jsonl", {"tokens": ["a"]})
    with pytest.raises(UserError, match="no sentence"):
        read(tmp_path / "a.jsonl")
