from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.labelled_pairs import LabelledPairs
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import LabelledPair

WANTED = [
    LabelledPair("A man eats.", "Somebody eats.", "entailment", "en"),
    LabelledPair("A man eats.", "Nobody eats.", "contradiction", "en"),
]
NAMES = ("entailment", "neutral", "contradiction")


def read(path, name, content, **options):
    (path / name).write_text(content, encoding="utf-8")
    notes = Notes()
    return list(LabelledPairs(**options).read(str(path / name), "en", notes)), notes.lines


def mapped(first, second, label, as_number=False):
    rows = [
        {first: r.text, second: r.text_pair, label: NAMES.index(r.label) if as_number else r.label}
        for r in WANTED
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_every_form(tmp_path):
    table = "".join(f"{r.text}\t{r.text_pair}\t{r.label}\n" for r in WANTED)
    assert read(tmp_path, "a.tsv", table)[0] == WANTED
    assert read(tmp_path, "b.tsv", "sentence1\tsentence2\tgold_label\n" + table)[0] == WANTED
    assert read(tmp_path, "a.csv", table.replace("\t", ","))[0] == WANTED
    for names in (("premise", "hypothesis", "label"), ("sentence1", "sentence2", "gold_label")):
        assert read(tmp_path, "a.jsonl", mapped(*names))[0] == WANTED
    numbers = mapped("premise", "hypothesis", "label", as_number=True)
    assert read(tmp_path, "a.jsonl", numbers, label_names=NAMES)[0] == WANTED
    named = {"text": "q", "text_pair": "a", "label": "y"}
    assert read(tmp_path, "a.jsonl", mapped("q", "a", "y"), **named)[0] == WANTED


def test_an_index_in_front_needs_names(tmp_path):
    table = "".join(f"{i}\t{r.text}\t{r.text_pair}\t{r.label}\n" for i, r in enumerate(WANTED))
    with pytest.raises(UserError, match="4 columns without names"):
        read(tmp_path, "a.tsv", table)
    found, lines = read(tmp_path, "a.tsv", table, text="2", text_pair="3", label="4")
    assert found == WANTED and "a.tsv: column '1' is not used" in lines


def test_rows_without_an_agreed_label_are_counted(tmp_path):
    found, lines = read(tmp_path, "a.tsv", "a b\tc\tx\nd\te\t-\nf\tg\t-1\n")
    assert len(found) == 1 and lines[-1] == "a.tsv: 2 rows without an agreed label are left out"


@pytest.mark.parametrize("row", ["a\t\tx", "\tb\tx", "a\tb\t", "a\tb"])
def test_one_faulty_row_is_skipped_and_told(tmp_path, row):
    good = "a\tb\tx\n" * 3
    found, lines = read(tmp_path, "a.tsv", f"{good}{row}\n")
    assert len(found) == 3 and "1 of 4 rows skipped" in lines[-1]
    with pytest.raises(UserError):
        read(tmp_path, "a.tsv", f"{row}\n")


def test_data_in_memory_with_class_names():
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=list(NAMES))
    text = datasets.Value("string")
    rows = [
        {"premise": r.text, "hypothesis": r.text_pair, "label": NAMES.index(r.label)}
        for r in WANTED
    ]
    rows.append({"premise": "a", "hypothesis": "b", "label": -1})
    features = datasets.Features({"premise": text, "hypothesis": text, "label": names})
    notes = Notes()
    table = InMemory(datasets.Dataset.from_list(rows, features=features))
    found = list(read_in_memory(table, "labelled_pairs", Request("en", "en"), notes))
    assert found == WANTED and "1 rows without an agreed label" in notes.lines[-1]
    again = InMemory([(r.text_pair, r.text, r.label) for r in WANTED], [2, 1, 3])
    assert list(read_in_memory(again, "labelled_pairs", Request("en", "en"), Notes())) == WANTED
