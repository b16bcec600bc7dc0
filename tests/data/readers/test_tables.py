"""Tab-separated rows: when quotes are quoting and when they are text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.tables import HEAD_ROWS, tab_rows

QUOTED = "cells are quoted as in CSV: the quotes are taken off"


def rows_of(folder, text):
    path, notes = folder / "a.tsv", Notes()
    path.write_text(text, encoding="utf-8", newline="")
    rows = [cells for _, cells in tab_rows(str(path), notes)]
    return rows, notes.lines == [f"a.tsv: {QUOTED}"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ('He said ""yes""\tx\n"He said ""yes"""\tja\n', ['He said ""yes""', "x"]),
        ('"a"\t"b"\n"c"\t"d"\n"e"\t"f"\n', ["a", "b"]),
        ('en\tde\n"c"\t"d"\n"e"\t"f"\n"g"\t"h"\n', ["en", "de"]),
        ('"a"\t1\n"c"\t2\n"e"\t3\n', ["a", "1"]),
        ('"over\ntwo lines"\tb\nc\td\n', ["over\ntwo lines", "b"]),
        ('"a\ttab"\tb\nc\td\n', ["a\ttab", "b"]),
    ],
)
def test_files_that_can_only_be_quoted(tmp_path, text, first):
    rows, quoted = rows_of(tmp_path, text)
    assert quoted and rows[0] == first


@pytest.mark.parametrize(
    "text",
    [
        '"Hello."\t"Hallo."\nGood\tGut\n',  # quoted speech
        '"Hello," he said. "Bye."\t"Hallo", sagte er. "Tschau."\n' * 3,
        '"a"\t"b"\n"c"\t"d"\n',  # too few to tell
        '"open\tb\nc\td\ne\tf\n',
        'a "b" c\td\n' * 5,
        '""\tb\nc\td\n',
    ],
)
def test_quotes_that_are_text_stay(tmp_path, text):
    rows, quoted = rows_of(tmp_path, text)
    assert not quoted
    assert rows == [line.split("\t") for line in text.splitlines()]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=3, max_size=6)
)


@given(tables)
def test_what_csv_writes_with_every_cell_quoted_is_read_back(tmp_path_factory, table):
    stream = io.StringIO()
    csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    rows, quoted = rows_of(tmp_path_factory.mktemp("t"), stream.getvalue())
    if any(cell.strip() for row in table for cell in row):
        assert quoted and rows == table


@given(tables)
def test_what_csv_writes_with_quotes_where_needed_is_read_back(tmp_path_factory, table):
    table = [[*row, 'a "b"'] for row in table]
    stream = io.StringIO()
    csv.writer(stream, delimiter="\t", lineterminator="\n").writerows(table)
    assert rows_of(tmp_path_factory.mktemp("t"), stream.getvalue()) == (table, True)


def test_quoting_that_breaks_after_the_first_lines_is_named(tmp_path):
    good = '"x ""y"""\tb\n' * HEAD_ROWS
    with pytest.raises(UserError, match="not valid TSV with quotes") as caught:
        rows_of(tmp_path, good + '"a"b\tc\n')
    assert caught.value.where.endswith(f":{HEAD_ROWS + 1}")
    cut = '"x ""y"""\tb\n' * (HEAD_ROWS - 1) + '"over\ntwo"\tb\n'
    rows, quoted = rows_of(tmp_path, cut)
    assert quoted and rows[-1] == ["over\ntwo", "b"]
