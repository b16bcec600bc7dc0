"""Values of rows with named columns: what is a text, a class, a number, a list of words."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes, RowError
from xadapt.data.readers.row_records import (
    label_of,
    named,
    number_of,
    read_mapped,
    text_of,
    words_of,
)


@pytest.mark.parametrize(
    ("check", "value", "said"),
    [
        (text_of, None, "x holds nothing"),
        (text_of, 3, "x holds int"),
        (text_of, " ", "x is empty"),
        (text_of, "\ud800", "surrogate"),
        (label_of, 1.5, "x holds float"),
        (number_of, "a", "x 'a' is no number"),
        (number_of, True, "no number"),
        (number_of, float("inf"), "no number"),
        (words_of, [], "x holds no list of words"),
        (words_of, "word", "no list"),
        (words_of, ["a", " "], "which is no word"),
    ],
)
def test_faults(check, value, said):
    with pytest.raises(RowError, match=said) as caught:
        check(value, "x", "f:2")
    assert caught.value.where == "f:2"


def test_values():
    assert text_of(" a ", "x", "") == "a" and label_of(0, "x", "") == "0"
    assert number_of("4.5", "x", "") == 4.5 and words_of(["a"], "x", "") == ("a",)
    assert named([1, 0], ["O", "B"], "") == ["B", "O"] and named("B", ["O"], "") == "B"
    with pytest.raises(RowError, match="no class 2"):
        named(2, ["O", "B"], "f:1")


def test_the_columns_are_found_and_told(tmp_path):
    path, notes = tmp_path / "a.jsonl", Notes()
    path.write_text('{"ID": 1, "Sentence": "a"}\n{"ID": 2}\n{"Sentence": "b"}\n{"Sentence": "c"}\n')
    columns = {"text": ("text", "sentence")}
    rows = list(read_mapped(str(path), columns, lambda values, where: values["text"], notes))
    assert rows == ["a", "b", "c"]
    assert notes.lines == [
        "a.jsonl: column 'Sentence' as text",
        "a.jsonl: column 'ID' is not used",
        "a.jsonl: 1 of 4 rows skipped; the first, a.jsonl:2: there is no column 'Sentence'",
    ]
    path.write_text("")
    with pytest.raises(UserError, match="there is no row in this source"):
        list(read_mapped(str(path), columns, lambda values, where: values, notes))
