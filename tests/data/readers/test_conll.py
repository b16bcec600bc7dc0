from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.conll import Conll
from xadapt.data.records import TaggedSentence

TEXT = """-DOCSTART- O

# a comment
John\tB-PER
Smith\tI-PER
lives\tO

#\tO
in NNP x B-LOC
"""


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return list(Conll().read(str(path), "en"))


def test_sentences_with_spans_and_origins(tmp_path):
    rows = read(tmp_path / "a.conll", TEXT)
    assert rows == [
        TaggedSentence(("John", "Smith", "lives"), ((0, 2, "PER"),), "en"),
        TaggedSentence(("#", "in"), ((1, 2, "LOC"),), "en"),
    ]
    assert [row.origin for row in rows] == [f"{tmp_path}/a.conll:{n}" for n in (4, 8)]


def test_packed_and_without_a_last_empty_line(tmp_path):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"Jo\tB-PER"))
    assert [row.words for row in Conll().read(str(path), "de")] == [("Jo",)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "no sentence"),
        ("\n\n", None, "no sentence"),
        ("a\tO\nb\n", 2, "no label"),
        ("a\tPER\n", 1, "no BIO label"),
        ("a\tB-\n", 1, "no BIO label"),
        ("a\tO\n" * 10_001, 10_001, "more than 10,000 words"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.conll", text)
    assert line is None or str(caught.value.where).endswith(f":{line}")
