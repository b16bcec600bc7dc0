from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.labelled_text import LabelledTexts
from xadapt.data.records import LabelledText


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return list(LabelledTexts().read(str(path), "sw"))


def test_texts_with_classes_and_origins(tmp_path):
    rows = read(tmp_path / "a.tsv", "Habari ya leo\tnews\n\n Nzuri \t sport \r\n")
    assert rows == [
        LabelledText("Habari ya leo", "news", "sw"),
        LabelledText("Nzuri", "sport", "sw"),
    ]
    assert [row.origin for row in rows] == [f"{tmp_path}/a.tsv:{n}" for n in (1, 3)]


def test_packed(tmp_path):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress("\ufeffä\tb".encode()))
    assert list(LabelledTexts().read(str(path), "de")) == [LabelledText("ä", "b", "de")]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "no text"),
        ("a\tx\nb\n", 2, "1 columns"),
        ("a\tx\ty\n", 1, "3 columns"),
        ("a\tx\n \tx\n", 2, "text is empty"),
        ("a\t \n", 1, "label is empty"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.tsv", text)
    assert line is None or str(caught.value.where).endswith(f":{line}")
