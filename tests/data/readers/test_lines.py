"""Lines: numbering, line ends, bounds, and every fault worded with its line."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines


def _write(folder, data: bytes, name: str = "a.txt") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def test_lines_are_numbered_and_cut_at_newlines_only(tmp_path):
    path = _write(tmp_path, "\ufeffone\r\ntwo\u2028still\x85two\n\nfour".encode())
    assert list(read_lines(path)) == [
        (1, "one"),
        (2, "two\u2028still\x85two"),
        (3, ""),
        (4, "four"),
    ]


def test_a_bom_is_dropped_on_the_first_line_only(tmp_path):
    path = _write(tmp_path, "\ufeffa\n\ufeffb\n".encode())
    assert [text for _, text in read_lines(path)] == ["a", "\ufeffb"]


def test_gz_gives_the_same_lines(tmp_path):
    data = "ein\nzwei — drei\n".encode() * 5000
    plain = _write(tmp_path, data)
    packed = _write(tmp_path, gzip.compress(data), "a.txt.gz")
    assert list(read_lines(plain)) == list(read_lines(packed))


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path):
    path = _write(tmp_path, b"fine\nGr\xfc\xdfe\n")
    lines = read_lines(path)
    assert next(lines) == (1, "fine")
    with pytest.raises(UserError, match=r"not UTF-8 \(byte 3 is 0xfc\)") as caught:
        next(lines)
    assert caught.value.where == f"{path}:2"


def test_utf16_without_bom_is_told_from_text(tmp_path):
    with pytest.raises(UserError, match="NUL"):
        list(read_lines(_write(tmp_path, "Hello\n".encode("utf-16-le"))))


@pytest.mark.parametrize("char", ["x", "я", "語", "𐍈"])
def test_the_longest_line_is_counted_in_characters(tmp_path, char):
    data = "\n".join([char * 50, char * 51]).encode()
    lines = read_lines(_write(tmp_path, data), limit=50)
    assert next(lines) == (1, char * 50)
    with pytest.raises(UserError, match="longer than 50 characters") as caught:
        next(lines)
    assert caught.value.where.endswith(":2")


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_line_of_40_megabytes_is_refused_in_bounded_memory(tmp_path, name):
    data = b"short\n" + b"x" * 40_000_000
    path = _write(tmp_path, gzip.compress(data, 1) if name.endswith("gz") else data, name)
    del data
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="longer than 1,048,576 characters") as caught:
            list(read_lines(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.where == f"{path}:2"
    assert peak < 16_000_000


def test_broken_gzip(tmp_path):
    whole = gzip.compress("".join(f"line {i}\n" for i in range(20_000)).encode())
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for data in (whole[: len(whole) // 2], bytes(flipped), b"plain text\n", whole[:5]):
        path = _write(tmp_path, data, "a.txt.gz")
        with pytest.raises(UserError, match="gzip data is broken") as caught:
            list(read_lines(path))
        assert caught.value.where.startswith(f"{path}:")


def test_absent_files_and_folders(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        list(read_lines(str(tmp_path / "none.tsv")))
    with pytest.raises(UserError, match="folder"):
        list(read_lines(str(tmp_path)))
    with pytest.raises(UserError):
        list(read_lines("nul\0byte"))


def test_suffixes():
    assert has_suffix("A/B.TSV.GZ", ".tsv")
    assert has_suffix("b.tsv", ".txt", ".tsv")
    assert not has_suffix("tsv", ".tsv")
    assert not has_suffix("b.tsv.bak", ".tsv")
