"""Natural language inference: XNLI's own files, MultiNLI's, and what datasets makes of them."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.xnli import Xnli
from xadapt.data.records import LabelledText

HEADER = "language\tgold_label\tsentence1_binary_parse\tsentence1\tsentence2\tpairID"
ROWS = [
    ("de", "neutral", "Er kam.", "Er kam früh."),
    ("en", "entailment", "He came.", "He arrived."),
    ("de", "contradiction", "Er kam.", "Er blieb fort."),
    ("de", "-", "Er kam.", "Wer weiß?"),
]
WANTED = [
    LabelledText("Er kam. | Er kam früh.", "neutral", "de"),
    LabelledText("Er kam. | Er blieb fort.", "contradiction", "de"),
]


def read(path, text, lang="de", **options):
    path.write_text(text, encoding="utf-8")
    notes = Notes()
    return list(Xnli(**options).read(str(path), lang, notes)), notes.lines


def as_tsv(rows=ROWS):
    return "\n".join([HEADER, *(f"{a}\t{b}\t(x)\t{c}\t{d}\t7" for a, b, c, d in rows)]) + "\n"


def as_jsonl(rows=ROWS):
    keys = ("language", "gold_label", "sentence1", "sentence2")
    return "".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows)


@pytest.mark.parametrize(("name", "make"), [("x.tsv", as_tsv), ("x.jsonl", as_jsonl)])
def test_the_rows_of_a_language_with_an_agreed_class(tmp_path, name, make):
    rows, told = read(tmp_path / name, make())
    assert rows == WANTED
    assert rows[0].origin == f"{tmp_path}/{name}:{2 if name == 'x.tsv' else 1}"
    assert told == [
        f"{name}: 1 rows in other languages are passed over",
        f"{name}: 1 rows without an agreed label are passed over",
    ]
    assert len(read(tmp_path / name, make(), "und")[0]) == 3
    rows, _ = read(tmp_path / name, make(), separator=" </s></s> ")
    assert rows[0].text == "Er kam. </s></s> Er kam früh."
    with pytest.raises(UserError, match=r"no example in sw \(languages: de, en\)"):
        read(tmp_path / name, make(), "sw")


def test_numbers_of_classes_get_their_names(tmp_path):
    rows = [{"premise": "a", "hypothesis": "b", "label": n} for n in (0, 1, 2, 1, -1, 7)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    found, told = read(tmp_path / "x.jsonl", text)
    assert [row.label for row in found] == ["entailment", "neutral", "contradiction", "neutral"]
    assert told[0] == "x.jsonl: 1 of 5 rows skipped; the first, x.jsonl:6: there is no class 7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("de\tneutral\ta\tb\n", "no column is named sentence1 or premise"),
        ("", "no example in de"),
        (as_tsv([("de", "neutral", "", "x")]), "the premise is empty"),
        (HEADER + "\nde\tneutral\n", "the premise holds nothing"),
    ],
)
def test_mistakes(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.tsv", text)
    assert caught.value.where.startswith(f"{tmp_path}/x.tsv")
    assert not Xnli().claims("x.tsv", None)
