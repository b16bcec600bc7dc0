from __future__ import annotations

import json
import random

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.multi_label_text import MultiLabelTexts
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import MultiLabelText

ROWS = [{"text": "one", "labels": ["b", "a"]}, {"text": "two", "labels": []},
        {"text": "three", "labels": ["a"]}]  # fmt: skip
WANTED = [("one", ("a", "b")), ("two", ()), ("three", ("a",))]


def read(path, name, content, **options):
    (path / name).write_text(content, encoding="utf-8")
    notes = Notes()
    rows = MultiLabelTexts(**options).read(str(path / name), "en", notes)
    return [(row.text, row.labels) for row in rows], notes.lines


def in_memory(data, columns=None, **options):
    notes = Notes()
    table = InMemory(data, columns)
    rows = read_in_memory(table, "multi_label_text", Request("en", "en"), notes, options)
    return [(row.text, row.labels) for row in rows], notes.lines


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS), {}),
        ("a.tsv", "one\tb|a\ntwo\t\nthree\ta\n", {"label_separator": "|"}),
        ("a.tsv", "one\tb|a\ntwo\t\nthree\ta\n", {}),
        ("a.csv", 'text,labels\none,"b,a"\ntwo,\nthree,a\n', {}),
        ("a.csv", "text,labels\none,\"['b', 'a']\"\ntwo,[]\nthree,['a']\n", {}),
        ("a.csv", "id,text,a,b\n7,one,1,1\n8,two,0,0\n9,three,1,0\n", {"labels": "a,b"}),
        ("a.csv", "text,b,a\none,1,1\ntwo,0,0\nthree,0,1\n", {}),
    ],
)
def test_every_form_of_labels(tmp_path, name, text, options):
    rows, lines = read(tmp_path, name, text, **options)
    assert rows == WANTED
    asked = bool(options) or name.endswith("l") or "[" in text
    assert asked or any("separated" in line or "1 is yes" in line for line in lines)


def test_data_in_memory():
    pandas = pytest.importorskip("pandas")
    flags = [{"text": t, "a": int("a" in own), "b": int("b" in own)} for t, own in WANTED]
    assert in_memory(ROWS)[0] == in_memory(pandas.DataFrame(ROWS))[0] == WANTED
    assert in_memory(flags)[0] == in_memory(pandas.DataFrame(flags), "text,a,b")[0] == WANTED
    joined = [(text, "; ".join(own)) for text, own in WANTED]
    assert in_memory(joined, label_separator=";")[0] == WANTED
    records = [MultiLabelText(t, tuple(reversed(own)) * 2, "en") for t, own in WANTED]
    assert in_memory(records)[0] == WANTED


def test_names_of_numbers_from_datasets():
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["a", "b"])
    features = datasets.Features({"text": datasets.Value("string"),
                                  "labels": datasets.Sequence(names)})  # fmt: skip
    rows = [{"text": t, "labels": ["ab".index(one) for one in own]} for t, own in WANTED]
    assert in_memory(datasets.Dataset.from_list(rows, features=features))[0] == WANTED
    assert in_memory(rows, label_names=["a", "b"])[0] == WANTED


def test_vectors_of_zeros_and_ones():
    rows = [("one", [1, 1, 0]), ("two", [0, 0, 0]), ("three", [1.0, 0.0, 0.0])]
    assert in_memory(rows, label_names=["a", "b", "c"])[0] == WANTED
    found, lines = in_memory(rows)
    assert found[0][1] == ("0", "1") and any("label_names names them" in line for line in lines)
    with pytest.raises(UserError, match="3 places for 2 labels"):
        in_memory(rows, label_names=["a", "b"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("one", None)], "labels are null"),
        ([{"text": "one", "labels": [None]}], "label holds nothing"),
        ([{"text": "one", "labels": {"a": 1}}], "label holds dict"),
        ([{"text": "", "labels": ["a"]}], "text is empty"),
        ([{"text": "one", "lables": ["a"]}], "no column for the labels"),
        ([], "no row"),
    ],
)
def test_faulty_rows_are_one_line(rows, said):
    with pytest.raises(UserError, match=said):
        in_memory(rows)


def test_a_flag_that_is_neither_yes_nor_no(tmp_path):
    text = "text,a,b\none,1,0\ntwo,-1,0\nthree,0,1\n"
    rows, lines = read(tmp_path, "a.csv", text, labels="a,b")
    assert len(rows) == 2 and any("holds '-1', not 0 or 1" in line for line in lines)
    with pytest.raises(UserError, match="unknown column 'c'"):
        read(tmp_path, "a.csv", text, labels="a,c")


def test_duplicates_and_single_labels_are_told(tmp_path):
    rows, lines = read(tmp_path, "a.jsonl", '{"text": "one", "labels": ["a", "a", "b"]}\n')
    assert rows == [("one", ("a", "b"))] and "twice" in lines[-1]
    rows, lines = read(tmp_path, "a.tsv", "one\tNews, Sport\ntwo\tArts\n")
    assert rows[0][1] == ("News, Sport",)
    assert any("read as one label" in line for line in lines)


def test_fuzzed_rows_give_records_or_one_line():
    """Whatever stands in a row, there are records or one clear error."""
    rng = random.Random(0)
    numbers = [1, 0, -1, 0.5, True, float("nan"), float("inf")]
    texts = ["", "a", "a|b", "\ud800", "[", "['a'", "['a']", "[1, 2]", b"a"]
    lists = [["a"], [], [1], [0, 1], [[1]], ["\ud800"], {}, None]
    values = [*numbers, *texts, *lists]
    keys = ["text", "labels", "x"]
    for _ in range(300):
        rows = [
            {key: rng.choice(values) for key in rng.sample(keys, rng.randint(1, 3))}
            for _ in range(rng.randint(1, 5))
        ]
        try:
            found, _ = in_memory(rows)
        except UserError:
            continue
        assert all(isinstance(label, str) and label for _, labels in found for label in labels)
