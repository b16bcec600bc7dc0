from __future__ import annotations

import gzip

import pytest

from xadapt.errors import UserError
from xadapt.readers.plain_text import PlainLines
from xadapt.records import PlainText


def test_one_line_one_record_with_its_number(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("eins\n\n  zwei drei \n", encoding="utf-8")
    rows = list(PlainLines().read(str(path), "de"))
    assert rows == [PlainText("eins", "de"), PlainText("zwei drei", "de")]
    assert [row.origin for row in rows] == [f"{path}:1", f"{path}:3"]
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(PlainLines().read(str(packed), "de")) == rows


def test_which_sources_are_its_own():
    reader = PlainLines()
    assert reader.claims("a.txt", None) and reader.claims("a.txt.gz", None)
    assert not reader.claims("a.tsv", None)


def test_a_file_without_text_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n \n")
    with pytest.raises(UserError, match="no text"):
        list(PlainLines().read(str(path), "de"))
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError):
        list(PlainLines().read(str(path), "de"))
