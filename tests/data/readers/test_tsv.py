"""TSV: columns by number and name, and rows that lack one."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.readers.sides import Request
from xadapt.data.readers.tsv import Part
from xadapt.data.records import ParallelPair


def _read(folder, text: str, **options) -> list[ParallelPair]:
    path = folder / "data.tsv"
    path.write_text(text, encoding="utf-8")
    return list(read_parallel(path, lang="de", **options))


def test_first_column_is_the_pivot_and_the_rest_is_ignored(tmp_path):
    pairs = _read(tmp_path, 'Good\tGut\tntrex\n\nA "quoted" one\tEin "Zitat"\n')
    assert [(p.pivot, p.text) for p in pairs] == [
        ("Good", "Gut"),
        ('A "quoted" one', 'Ein "Zitat"'),
    ]
    assert [p.origin.rpartition(":")[2] for p in pairs] == ["1", "3"]


def test_columns_by_number_and_by_name(tmp_path):
    swapped = _read(tmp_path, "Gut\tGood\n", columns="2,1")
    assert (swapped[0].pivot, swapped[0].text) == ("Good", "Gut")
    named = _read(tmp_path, "id\tDE\tEN\n1\tGut\tGood\n", columns="EN,DE")
    assert [(p.pivot, p.text) for p in named] == [("Good", "Gut")]


@pytest.mark.parametrize(
    ("text", "options", "line", "said"),
    [
        ("Good\tGut\nalone\n", {}, 2, "column 2 is missing: this row has 1"),
        ("a\tb\n", {"columns": "1,3"}, 1, "column 3 is missing: this row has 2"),
        ("EN\tDE\nGood\tGut\n", {"columns": "EN,FR"}, 1, "no columns for 'EN' and 'FR'"),
        ("Good\tGut\n\tGut\n", {}, 2, "the en side of this row is empty"),
        ("Good\tGut\nGood\t \n", {}, 2, "the de side of this row is empty"),
    ],
)
def test_faults_name_their_line(tmp_path, text, options, line, said):
    with pytest.raises(UserError, match=said) as caught:
        _read(tmp_path, text, **options)
    assert caught.value.where == f"{tmp_path / 'data.tsv'}:{line}"
    assert caught.value.todo


def test_a_header_alone_has_no_pair(tmp_path):
    with pytest.raises(UserError, match="no pair"):
        _read(tmp_path, "EN\tDE\n", columns="EN,DE")


def test_it_claims_by_name():
    request = Request("de")
    assert Part().claims("a.tsv.gz", request)
    assert Part().claims("a.TXT", request)
    assert not Part().claims("a.csv", request)
