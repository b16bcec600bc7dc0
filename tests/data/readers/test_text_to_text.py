"""Sources and targets from every kind of table, and faulty rows."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import LoggedNotes, Notes
from xadapt.data.readers.sides import Request
from xadapt.data.readers.text_to_text import TextsToTexts
from xadapt.data.records import TextToText

WANTED = [TextToText("the cat", "<A> cat </A>", "en"), TextToText("a, b", "no", "en")]


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "the cat\t<A> cat </A>\na, b\tno\n"),
        ("b.tsv", "source\ttarget\nthe cat\t<A> cat </A>\n\na, b\tno\n"),
        ("c.csv", 'input,output\nthe cat,<A> cat </A>\n"a, b",no\n'),
        (
            "d.jsonl",
            "".join(json.dumps({"source": r.source, "target": r.target}) + "\n" for r in WANTED),
        ),
    ],
)
def test_each_kind_of_table(tmp_path, name, text):
    path = written(tmp_path, name, text)
    found = list(TextsToTexts().read(path, "en", Notes()))
    assert found == WANTED and found[0].origin.startswith(path)
    assert not TextsToTexts().claims(path, None)
    assert found[0].split_texts() == ("the cat",)


def test_named_columns_and_rows_of_a_program(tmp_path):
    path = written(tmp_path, "a.jsonl", '{"q": "x", "a": "y", "source": "z"}\n')
    assert list(TextsToTexts(source="q", target="a").read(path, "en")) == [
        TextToText("x", "y", "en")
    ]
    table = InMemory([{"source": r.source, "target": r.target} for r in WANTED])
    request = Request("en", "en")
    assert list(read_in_memory(table, "text_to_text", request, LoggedNotes())) == WANTED


def test_faulty_rows_are_skipped_or_refused_with_their_place(tmp_path):
    notes = Notes()
    path = written(tmp_path, "a.tsv", "a\tb\nc\t\nd\te\nf\tg\n")
    assert [r.source for r in TextsToTexts().read(path, "en", notes)] == ["a", "d", "f"]
    assert any("the target is empty" in line for line in notes.lines)
    for text, said in (("a\n", "1 column"), ("a\t\nb\t\n", "empty"), ("", "no row")):
        with pytest.raises(UserError, match=said):
            list(TextsToTexts().read(written(tmp_path, "b.tsv", text), "en"))
