from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.named_columns import FIELDS, SIDES, find_columns
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import EntityLabel, LabelledText, ParallelPair, ScoredPair, TaggedSentence

REQUEST = Request("sw", "en")


def found(keys, gives=ParallelPair, columns=None, notes=None):
    row = dict.fromkeys(keys, "a")
    return find_columns(row, gives, REQUEST, columns, "in-memory", notes or Notes())


@pytest.mark.parametrize("sides", SIDES)
def test_usual_names_of_pairs(sides) -> None:
    assert found(["id", *sides]) == {"pivot": sides[0], "text": sides[1]}


def test_names_of_languages_come_first() -> None:
    assert found(["source", "target", "sw", "en"]) == {"pivot": "en", "text": "sw"}
    assert found(["Swahili", "English"]) == {"pivot": "English", "text": "Swahili"}
    assert found(["Source", "TARGET"]) == {"pivot": "Source", "text": "TARGET"}
    row = {"translation": {"sw": "a", "en": "b"}}
    assert find_columns(row, ParallelPair, REQUEST, None, "x", Notes()) == {
        "pivot": "translation.en", "text": "translation.sw",
    }  # fmt: skip
    assert found(["1", "2", "3"]) == {"pivot": "1", "text": "2"}


def test_usual_names_of_other_records() -> None:
    assert found(["label", "sentence"], LabelledText) == {"text": "sentence", "label": "label"}
    assert found(["tokens", "pos_tags", "ner_tags"], TaggedSentence)["tags"] == "ner_tags"
    assert found(["sentence1", "sentence2", "label"], ScoredPair) == {
        "left": "sentence1", "right": "sentence2", "score": "label",
    }  # fmt: skip
    assert found(["label", "entity"], EntityLabel) == {"entity": "entity", "label": "label"}
    for kind, names in FIELDS.items():
        first = {field: usual[0] for field, usual in names.items()}
        assert found(first.values(), kind) == first, kind


def test_columns_that_a_user_names() -> None:
    keys = ["a", "b", "c"]
    wanted = {"pivot": "b", "text": "a"}
    for columns in ("b,a", ("b", "a"), "2,1", [2, 1], {"pivot": "b", "text": "a"},
                    {"en": "b", "sw": "a"}):  # fmt: skip
        assert found(keys, columns=columns) == wanted, columns
    assert found(keys, LabelledText, {"label": "c", "text": "a"}) == {"label": "c", "text": "a"}


@pytest.mark.parametrize(
    ("gives", "columns", "said"),
    [
        (ParallelPair, None, "there are no columns for 'en' and 'sw' .found: 'alpha', 'beta'."),
        (ParallelPair, "alpha", "1 columns are named, and 2 are read"),
        (ParallelPair, "alpha,betta", "unknown column 'betta'; did you mean 'beta'"),
        (ParallelPair, "alpha,3", "unknown column '3'"),
        (LabelledText, {"txt": "alpha"}, "unknown field 'txt'; did you mean 'text'"),
        (LabelledText, {"text": "alpha"}, "no column is named for label"),
        (LabelledText, None, r"no column for the text .*columns=\(TEXT, LABEL\)"),
    ],
)
def test_columns_that_are_not_there(gives, columns, said) -> None:
    with pytest.raises(UserError, match=said):
        found(["alpha", "beta"], gives, columns)
    with pytest.raises(UserError, match="a row has 1 value, and text and label are read"):
        found(["1"], LabelledText)


def test_what_is_read_and_what_not_is_reported() -> None:
    notes = Notes()
    found(["id", "source", "target"], notes=notes)
    assert notes.lines == [
        "in-memory: column 'source' is read as en and column 'target' is read as sw",
        "in-memory: column 'id' is not used",
    ]
    notes = Notes()
    found(["a", "b", "c", "d"], columns="a,b", notes=notes)
    assert notes.lines == ["in-memory: columns 'c' and 'd' are not used"]
