from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.label_columns import as_options, class_of, find_columns, find_separator
from xadapt.data.readers.labelled_pairs import LabelledPairs
from xadapt.data.readers.labelled_text import LabelledTexts
from xadapt.data.readers.multi_label_text import MultiLabelTexts
from xadapt.data.readers.notes import Notes, RowError

USUAL = {"text": ("text", "tweet"), "label": ("label", "class")}


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["a|b", "b|c", "a"], "|"),
        (["a;b", "b"], ";"),
        (["a, b", "b, c", "c, a"], ","),
        (["Science, Technology", "Sport"], ""),  # one class with a comma in its name
        (["Science, Technology", "Arts, Crafts"], ""),
        (["a", "b"], ""),
        ([], ""),
    ],
)
def test_the_sign_between_labels(cells, sign):
    assert find_separator(cells) == sign


def test_columns_by_name_by_number_and_by_usual_names():
    keys = ["id", "tweet", "class"]
    assert find_columns(keys, USUAL, {}, "f") == {"text": "tweet", "label": "class"}
    assert find_columns(keys, USUAL, {"text": "1"}, "f") == {"text": "id", "label": "class"}
    assert find_columns(["1", "2"], USUAL, {}, "f") == {"text": "1", "label": "2"}
    with pytest.raises(UserError, match="did you mean 'tweet'"):
        find_columns(keys, USUAL, {"text": "twet"}, "f")
    with pytest.raises(UserError, match="3 columns without names"):
        find_columns(["1", "2", "3"], USUAL, {}, "f")
    with pytest.raises(UserError, match="no column for the label"):
        find_columns(["text"], USUAL, {}, "f")


def test_columns_as_options():
    assert as_options(LabelledTexts, "a,b") == {"text": "a", "label": "b"}
    assert as_options(LabelledTexts, {"label": "b"}) == {"label": "b"}
    assert as_options(MultiLabelTexts, "t,x,y") == {"text": "t", "labels": "x,y"}
    assert as_options(LabelledPairs, None) == {}
    with pytest.raises(UserError, match="2 columns are named, and 3 are read"):
        as_options(LabelledPairs, "a,b")


def test_classes():
    assert class_of(1, ("no", "yes"), "f:1") == class_of("1", ("no", "yes"), "f:1") == "yes"
    assert class_of(1.0, ("no", "yes"), "f:1") == "yes" and class_of(3, (), "f:1") == "3"
    for value in (2, -1, None, [], {}, " ", 0.5):
        with pytest.raises(RowError):
            class_of(value, ("no", "yes"), "f:1")


def read(path, name, content, reader=LabelledTexts, **options):
    (path / name).write_text(content, encoding="utf-8")
    notes = Notes()
    return list(reader(**options).read(str(path / name), "en", notes)), notes.lines


def test_csv_with_quotes_semicolons_and_other_columns(tmp_path):
    rows, lines = read(tmp_path, "a.csv", 'id,tweet,label\n1,"Hi, you",x\n2,Bye,y\n')
    assert [(row.text, row.label) for row in rows] == [("Hi, you", "x"), ("Bye", "y")]
    assert "a.csv: column 'id' is not used" in lines
    same, _ = read(tmp_path, "b.csv", "id;tweet;label\n1;Hi, you;x\n2;Bye;y\n")
    assert same == rows


def test_a_table_with_options(tmp_path):
    text = "id\tbody\tkind\n1\tone\t0\n2\ttwo\t1\n"
    rows, lines = read(tmp_path, "a.tsv", text, text="body", label="kind", label_names=("n", "y"))
    assert [(row.text, row.label) for row in rows] == [("one", "n"), ("two", "y")]
    assert lines[0] == "a.tsv: line 1 is a header: id, body and kind"
    for options, said in (
        ({"text": "boddy"}, "did you mean 'body'"),
        ({"text": "body", "label": "kind", "label_names": ("n",)}, "label 1 has no name"),
    ):
        with pytest.raises(UserError, match=said):
            read(tmp_path, "a.tsv", text, **options)


def test_joined_classes_and_lists_are_no_single_class(tmp_path):
    _, lines = read(tmp_path, "a.tsv", "a\tapi|number\nb\tapi\nc\tnumber\n")
    assert "look like several labels" in lines[-1] and "multi_label" in lines[-1]
    with pytest.raises(UserError, match="the label is a list") as fault:
        read(tmp_path, "a.jsonl", '{"text": "a", "label": ["x"]}\n')
    assert "multi_label" in fault.value.todo


@pytest.mark.parametrize("text", ["", "\n\n", "text,label\n", "text,label\nonly one cell\n"])
def test_empty_and_broken_tables_are_one_line(tmp_path, text):
    with pytest.raises(UserError):
        read(tmp_path, "a.csv", text)


def test_two_columns_of_one_name(tmp_path):
    with pytest.raises(UserError, match="two columns are named 'text'"):
        read(tmp_path, "a.csv", "text,label,text\na,b,c\n")
