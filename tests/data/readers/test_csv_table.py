"""CSV: the header rule, quoting, and bounded rows."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.csv_table import Part
from xadapt.data.readers.sides import Limits, Request


def _read(folder, text: str, *columns: str, limit: int = 1 << 20):
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return list(Part().read(str(path), Request("de", columns=columns, limits=Limits(chars=limit))))


@pytest.mark.parametrize(
    "header", ["en,de", "EN,DE", "English,German", "en-GB,deu", "pivot,text", " en , de "]
)
def test_a_first_row_that_names_both_sides_is_a_header(tmp_path, header):
    assert [(p.pivot, p.text) for p in _read(tmp_path, f"{header}\nGood,Gut\n")] == [
        ("Good", "Gut")
    ]


def test_a_header_may_be_in_any_order_among_other_columns(tmp_path):
    pairs = _read(tmp_path, "id,de,score,en\n1,Gut,.5,Good\n")
    assert [(p.pivot, p.text) for p in pairs] == [("Good", "Gut")]


def test_any_other_first_row_is_data(tmp_path):
    pairs = _read(tmp_path, "Source,Quelle\nGood,Gut\n")
    assert [(p.pivot, p.text) for p in pairs] == [("Source", "Quelle"), ("Good", "Gut")]


def test_columns_by_name_and_number(tmp_path):
    assert _read(tmp_path, "x,y\nGut,Good\n", "y", "x")[0].pivot == "Good"
    assert [p.pivot for p in _read(tmp_path, "en,de\nGut,Good\n", "2", "1")] == ["Good"]
    assert [p.pivot for p in _read(tmp_path, "On,Auf\nGut,Good\n", "2", "1")] == ["Auf", "Good"]


def test_quoted_cells_keep_commas_quotes_and_line_ends(tmp_path):
    pairs = _read(tmp_path, 'A,B\r\n"One, ""two""\nthree","Eins, zwei"\r\nC,D\r\n')
    assert pairs[1].pivot == 'One, "two"\nthree'
    assert [p.origin.rpartition(":")[2] for p in pairs] == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Good,Gut\nalone\n", 2, "column 2 is missing"),
        ("Good;Gut\n", 1, "column 2 is missing"),
        ("Good,Gut\nGood,\n", 2, "the de side"),
        ('Good,Gut\n"open,Gut\nmore,mehr\n', 2, "not valid CSV"),
        ('Good,Gut\n"a"b,Gut\n', 2, "not valid CSV"),
    ],
)
def test_faults_name_the_line_their_row_began_on(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        _read(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'data.csv'}:{line}"


def test_a_missing_named_column(tmp_path):
    with pytest.raises(UserError, match="no columns for 'en' and 'fr'"):
        _read(tmp_path, "en,de\nGood,Gut\n", "en", "fr")


def test_a_row_that_never_ends_is_bounded(tmp_path):
    text = "Good,Gut\n" + '"a\nb",' * 1000
    with pytest.raises(UserError, match="longer than 100 characters") as caught:
        _read(tmp_path, text, limit=100)
    assert caught.value.where.endswith(":2")
    with pytest.raises(UserError, match="longer than 131,072 characters"):
        _read(tmp_path, '"' + "a\n" * 100_000)


cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=20
).filter(lambda cell: cell.strip() == cell)


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_what_csv_writes_is_read_back(tmp_path_factory, rows):
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    pairs = _read(tmp_path_factory.mktemp("csv"), stream.getvalue(), "1", "2")
    assert [(p.pivot, p.text) for p in pairs] == rows
