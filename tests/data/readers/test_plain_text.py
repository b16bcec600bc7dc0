from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.plain_text import Part
from xadapt.data.records import PlainText


def read(path: Path) -> list[PlainText]:
    return list(Part().read(str(path), "sw"))


def test_lines_are_records_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffPaka  \r\n\n \t\nmbwa na paka".encode())
    rows = read(file)
    assert rows == [PlainText("Paka", "sw"), PlainText("mbwa na paka", "sw")]
    assert [row.origin for row in rows] == [f"{file}:1", f"{file}:4"]


def test_packed_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.txt.gz"
    file.write_bytes(gzip.compress(b"paka\n"))
    assert read(file) == [PlainText("paka", "sw")]


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.txt.gz"])
def test_text_files_are_claimed(name: str) -> None:
    assert Part().claims(name, None)


@pytest.mark.parametrize("name", ["a.tsv", "txt", "a.txt.rar"])
def test_others_are_not(name: str) -> None:
    assert not Part().claims(name, None)


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (b"", "", "no text"),
        (b"\n \n", "", "no text"),
        (b"paka\n\xff\xfe\n", ":2", "not UTF-8"),
        (b"a" * (10 << 20), ":1", "longer than"),
    ],
)
def test_faults_name_the_line(tmp_path: Path, content: bytes, where: str, said: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        read(file)
    assert error.value.where == f"{file}{where}"


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "none.txt")
