"""Texts with translations and classes: every form, rows without translations, bad input."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.translated_text import TranslatedTexts
from xadapt.data.records import TranslatedText

WANTED = [
    TranslatedText("die Katze", "animal", "de", "the cat"),
    TranslatedText("der Park", "place", "de", ""),
]


def read(path, name, content, **options):
    (path / name).write_text(content, encoding="utf-8")
    return list(TranslatedTexts(**options).read(str(path / name), "de", Notes()))


def test_every_form(tmp_path):
    table = "".join(f"{r.text}\t{r.translation}\t{r.label}\n" for r in WANTED)
    assert read(tmp_path, "a.tsv", table) == WANTED
    assert read(tmp_path, "b.tsv", "text\ttranslation\tlabel\n" + table) == WANTED
    rows = [{"text": r.text, "mt": r.translation or None, "label": r.label} for r in WANTED]
    jsonl = "".join(json.dumps(row) + "\n" for row in rows)
    assert read(tmp_path, "a.jsonl", jsonl) == WANTED
    assert read(tmp_path, "b.jsonl", jsonl.replace("mt", "own"), translation="own") == WANTED


def test_without_a_column_no_text_has_a_translation(tmp_path):
    table = "".join(f"{r.text}\t{r.label}\n" for r in WANTED)
    found = read(tmp_path, "a.tsv", table)
    assert [(r.text, r.label, r.translation) for r in found] == [
        (r.text, r.label, "") for r in WANTED
    ]


def test_bad_input_is_one_line(tmp_path):
    for name, content, said in (
        ("empty.tsv", "", "no row"),
        ("one.tsv", "die Katze\n", "column"),
        ("many.tsv", "a\tb\tc\td\n", "4 columns"),
        ("no.jsonl", '{"label": "x"}\n', "column"),
        ("number.jsonl", '{"text": "a", "translation": 3, "label": "x"}\n', "not text"),
    ):
        with pytest.raises(UserError, match=said):
            read(tmp_path, name, content)
