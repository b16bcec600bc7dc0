"""Tagged sentences with translations: lists of words, texts, none, and CoNLL columns."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.translated_words import TranslatedWords
from xadapt.data.records import TranslatedSentence

WORDS, SPANS = ("Anna", "lacht"), ((0, 1, "PER"),)


def read(path, name, content):
    (path / name).write_text(content, encoding="utf-8")
    return list(TranslatedWords().read(str(path / name), "de", Notes()))


def test_a_list_a_text_and_none(tmp_path):
    rows = [
        {"tokens": list(WORDS), "ner_tags": ["B-PER", "O"], "translation": said}
        for said in (["Anna", "laughs"], "Anna laughs", None, [])
    ]
    found = read(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    full = TranslatedSentence(WORDS, SPANS, "de", ("Anna", "laughs"))
    bare = TranslatedSentence(WORDS, SPANS, "de")
    assert found == [full, full, bare, bare]


def test_conll_columns_have_no_translation(tmp_path):
    found = read(tmp_path, "a.conll", "Anna\tB-PER\nlacht\tO\n\n")
    assert found == [TranslatedSentence(WORDS, SPANS, "de")]
    rows = {"tokens": list(WORDS), "ner_tags": ["B-PER", "O"]}
    assert read(tmp_path, "a.jsonl", json.dumps(rows) + "\n") == found


def test_bad_input_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no sentence"):
        read(tmp_path, "empty.conll", "")
    row = {"tokens": list(WORDS), "ner_tags": ["O"], "translation": "x"}
    with pytest.raises(UserError, match="2 words have 1 labels"):
        read(tmp_path, "a.jsonl", json.dumps(row) + "\n")
    row = {"tokens": list(WORDS), "ner_tags": ["B-PER", "O"], "translation": 3}
    with pytest.raises(UserError, match="no list of words"):
        read(tmp_path, "b.jsonl", json.dumps(row) + "\n")
