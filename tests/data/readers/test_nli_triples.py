from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.nli_triples import NliTriples
from xadapt.data.readers.notes import Notes
from xadapt.data.records import TextPair

ROWS = [
    ("Er kam.", "Er blieb fort.", "contradiction"),
    ("Er kam.", "Er war da.", "entailment"),
    ("Sie las.", "Sie las ein Buch.", "neutral"),
    ("er kam", "Er ist hier.", "entailment"),  # the premise again
    ("Es war warm.", "Kalt war es nicht.", "entailment"),
    ("Wer kam?", "Er.", "-"),
]
WANTED = [
    TextPair("Er kam.", "Er war da.", ("Er blieb fort.",), "de", row="1"),
    TextPair("Er kam.", "Er ist hier.", ("Er blieb fort.",), "de", row="1"),
    TextPair("Es war warm.", "Kalt war es nicht.", (), "de", row="5"),
]


def read(path, text, **options):
    path.write_text(text, encoding="utf-8")
    notes = Notes()
    return list(NliTriples(**options).read(str(path), "de", notes)), notes.lines


def table(rows=ROWS, head=""):
    return head + "".join("\t".join(map(str, row)) + "\n" for row in rows)


def test_what_is_entailed_is_the_positive_and_contradictions_are_hard_negatives(tmp_path):
    rows, lines = read(tmp_path / "a.tsv", table())
    assert rows == WANTED
    assert rows[2].origin.endswith("a.tsv:5")
    assert lines == [
        "a.tsv: 2 premises without an entailed hypothesis",
        "a.tsv: 1 premises have no contradiction",
    ]
    assert read(tmp_path / "a.tsv", table(head="sentence1\tsentence2\tgold_label\n"))[0] == WANTED
    keys = ("premise", "hypothesis", "label")
    text = "".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in ROWS)
    assert read(tmp_path / "a.jsonl", text)[0] == WANTED
    assert read(tmp_path / "a.tsv", table(), aligned=False)[0][0].row == ""


def test_numbers_are_classes_in_the_order_that_is_named(tmp_path):
    order = {"entailment": 0, "neutral": 1, "contradiction": 2, "-": -1}
    rows = [(a, b, order[label]) for a, b, label in ROWS]
    assert read(tmp_path / "a.tsv", table(rows))[0] == WANTED
    turned = [(a, b, {0: 2, 2: 0}.get(label, label)) for a, b, label in rows]
    found = read(tmp_path / "a.tsv", table(turned), classes="contradiction,neutral,entailment")[0]
    assert found == WANTED
    with pytest.raises(ValueError, match="in the order of their numbers"):
        NliTriples(classes="entailment,contradiction")


def test_translations_line_by_line_have_one_row(tmp_path):
    german = read(tmp_path / "de.tsv", table())[0]
    english = read(
        tmp_path / "en.tsv", table([("He came.", *ROWS[0][1:]), ("He came.", *ROWS[1][1:])])
    )[0]
    assert german[0].row == english[0].row
    named = table([(*row, "x7") for row in ROWS[:2]], "premise\thypothesis\tlabel\tpairID\n")
    assert read(tmp_path / "n.tsv", named)[0][0].row == "x7"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no premise has an entailed"),
        ("a\tb\tneutral\n", "no premise has an entailed"),
        ("a\tb\n", "the class"),
        ("a\tb\tmaybe\n", "no class 'maybe'"),
        ("a\t\tentailment\n", "hypothesis is empty"),
    ],
)
def test_faulty_data_are_one_line(tmp_path, text, fault):
    with pytest.raises(UserError, match=fault):
        read(tmp_path / "a.tsv", text)
