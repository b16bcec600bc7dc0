from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.labelled_text import LabelledTexts
from xadapt.data.readers.notes import Notes
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


def noted(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    rows = list(LabelledTexts().read(str(path), "en", notes := Notes()))
    return rows, notes.lines


KINDS = ("negative", "bad rain"), ("positive", "nice day")
LINES = [f"{KINDS[i % 2][1]} number {i}\t{KINDS[i % 2][0]}" for i in range(60)]


@pytest.mark.parametrize("header", ["tweet\tlabel", "Text\tCategory", "x\tsentiment"])
def test_a_header_is_no_class(tmp_path, header):
    rows, lines = noted(tmp_path / "a.tsv", [header, *LINES])
    assert len(rows) == 60 and {row.label for row in rows} == {"negative", "positive"}
    assert lines == [f"a.tsv: line 1 is a header: {' and '.join(header.split())}"]


def test_a_class_called_label_is_one(tmp_path):
    rows, lines = noted(tmp_path / "a.tsv", ["word\tlabel", *LINES, "other word\tlabel"])
    assert len(rows) == 62 and not lines
    rows, lines = noted(tmp_path / "a.tsv", ["this is bad\tlabel", *LINES])
    assert len(rows) == 61
    assert lines == ["a.tsv: the class 'label' stands on line 1 alone: remove it if it is a header"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{1}\t{0}", "column 2 has 60 different values in 60 lines, column 1 2"),
        ("{2}\t{1}", "column 1 holds numbers or ids"),
        ("tweet_{2}\t{1}", "column 1 holds numbers or ids"),
    ],
)
def test_columns_the_other_way_round_are_refused(tmp_path, line, said):
    cells = [(*text.split("\t"), i) for i, text in enumerate(LINES)]
    with pytest.raises(UserError, match=said):
        noted(tmp_path / "a.tsv", [line.format(*row) for row in cells])


def test_one_bad_line_is_skipped_and_quotes_are_taken_off(tmp_path):
    rows, lines = noted(tmp_path / "a.tsv", [*LINES, "no label", '"He said ""no"""\tnegative'])
    assert len(rows) == 61 and rows[-1].text == 'He said "no"'
    assert lines == [
        "a.tsv: cells are quoted as in CSV: the quotes are taken off",
        "a.tsv: 1 of 62 lines skipped; the first, a.tsv:61: this line has 1 columns",
    ]
