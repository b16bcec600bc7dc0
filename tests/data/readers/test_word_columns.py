from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.conll import Conll
from xadapt.data.readers.word_columns import conll_text, read_words
from xadapt.data.records import TaggedSentence


def test_words_are_read_with_or_without_labels(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART- O\n\nAda\tB-PER\nmet\tO\n\n\nNairobi\n#1\n\n", encoding="utf-8")
    assert list(read_words(str(path))) == [("Ada", "met"), ("Nairobi", "#1")]
    path.write_text("1 Ada X\n2 met Y\n\n1 Bo Z\n", encoding="utf-8")
    assert list(read_words(str(path), 2)) == [("Ada", "met"), ("Bo",)]
    packed = tmp_path / "a.tsv.gz"
    packed.write_bytes(gzip.compress("Dar\u00a0es\tO\n".encode()))
    assert list(read_words(str(packed))) == [("Dar\u00a0es",)]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "there is no word in this file"),
        ("-DOCSTART- O\n\n", 1, "there is no word"),
        ("Ada O\nmet\n", 2, "a.conll:2: this line has 1 column, not 2"),
        ("1\n2\n3\n4\n5\n", 1, "column 1 holds numbers"),
        ("a\n\nb\n\nc\n\nd\n\ne\n", 1, "every sentence has one word"),
    ],
)
def test_what_is_no_list_of_words_is_refused(tmp_path, text, column, said):
    path = tmp_path / "a.conll"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        list(read_words(str(path), column))
    with pytest.raises(UserError, match="no such file"):
        list(read_words(str(tmp_path / "none")))


def test_what_is_written_is_read_back(tmp_path):
    rows = [
        TaggedSentence(("#", "Ada", "Bo", "met"), ((1, 2, "PER"), (2, 3, "PER")), "en"),
        TaggedSentence(("New", "York", "O"), ((0, 2, "LOC"),), "en"),
    ]
    assert conll_text(rows[1]) == "New\tB-LOC\nYork\tI-LOC\nO\tO\n\n"
    path = tmp_path / "a.conll"
    path.write_text("".join(map(conll_text, rows)), encoding="utf-8")
    found = list(Conll().read(str(path), "en"))
    assert [(row.words, row.spans) for row in found] == [(row.words, row.spans) for row in rows]
    assert list(read_words(str(path))) == [row.words for row in rows]
    with pytest.raises(ValueError, match="overlaps"):
        conll_text(TaggedSentence(("a",), ((0, 2, "X"),), "en"))
