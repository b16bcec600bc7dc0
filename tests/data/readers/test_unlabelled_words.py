from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.unlabelled_words import UnlabelledWords
from xadapt.data.records import TaggedSentence


def read(path, text, lang="de", notes=None):
    path.write_text(text, encoding="utf-8")
    return list(UnlabelledWords().read(str(path), lang, notes))


def test_words_are_read_and_labels_are_not(tmp_path):
    path = tmp_path / "a.conll"
    bare = read(path, "Ada\nlacht\n\nBo\n")
    assert bare == [TaggedSentence(("Ada", "lacht"), (), "de"), TaggedSentence(("Bo",), (), "de")]
    assert read(path, "Ada\tB-PER\nlacht\tO\n\nBo\tnonsense\n") == bare
    assert bare[1].origin == f"{path}, sentence 2"


def test_a_prefix_of_the_language_is_taken_off(tmp_path):
    notes = Notes()
    [row] = read(tmp_path / "a.tsv", "de:Ada\tB-PER\nde:lacht\tO\n", notes=notes)
    assert row.words == ("Ada", "lacht") and "'de:'" in notes.lines[0]
    with pytest.raises(UserError, match="all words begin with 'de:', but the language is es"):
        read(tmp_path / "a.tsv", "de:Ada\tO\nde:lacht\tO\n", "es")


def test_json_lines_have_words_alone(tmp_path):
    lines = [{"tokens": ["Ada", "lacht"], "ner_tags": ["wrong"]}, {"tokens": ["Bo"]}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    assert [row.words for row in read(tmp_path / "a.jsonl", text)] == [("Ada", "lacht"), ("Bo",)]
    with pytest.raises(UserError, match="there is no column 'tokens'"):
        read(tmp_path / "b.jsonl", '{"nothing": 1}\n')


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n"])
def test_a_file_without_a_word_is_refused(tmp_path, text):
    with pytest.raises(UserError, match="there is no word"):
        read(tmp_path / "a.conll", text)


def test_no_file_is_claimed():
    assert not UnlabelledWords().claims("a.conll", None)
