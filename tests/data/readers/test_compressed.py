"""Compressed files: the same lines from each kind, and every damage in one clear line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers import compressed
from xadapt.data.readers.compressed import bare_name, files_in, in_archive, is_file, unpacked
from xadapt.data.readers.lines import has_suffix, read_lines

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def zipped(data: bytes, name: str = "data.txt") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return made.getvalue()


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress,
        "zip": zipped}  # fmt: skip
DATA = "".join(f"line {i} — {i * i}\n" for i in range(20_000)).encode()
LINES = [(i + 1, f"line {i} — {i * i}") for i in range(20_000)]


def write(folder, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("kind", PACK)
def test_every_kind_gives_the_same_lines(tmp_path, kind):
    path = write(tmp_path, f"a.txt.{kind.upper()}", PACK[kind](DATA))
    assert list(read_lines(path)) == LINES
    assert has_suffix(path, ".txt")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_several_streams_in_one_file_are_one_text(tmp_path, kind):
    middle = DATA.index(b"\n", len(DATA) // 2) + 3
    data = PACK[kind](DATA[:middle]) + PACK[kind](DATA[middle:])
    assert list(read_lines(write(tmp_path, f"a.{kind}", data))) == LINES
    if kind == "xz":  # zero bytes may fill up to a multiple of 4
        data = lzma.compress(DATA[:middle]) + bytes(8) + lzma.compress(DATA[middle:]) + bytes(4)
        assert list(read_lines(write(tmp_path, "b.xz", data))) == LINES


@pytest.mark.parametrize("kind", PACK)
def test_damage_is_one_line_that_names_the_place(tmp_path, kind):
    whole = PACK[kind](DATA)
    for data in (whole[: len(whole) // 2], b"plain text\n" * 9, whole[:5], whole[:-3]):
        path = write(tmp_path, f"a.txt.{kind}", data)
        with pytest.raises(UserError, match=r"(gzip|bz2|xz|zstd|zip) data is broken") as caught:
            list(read_lines(path))
        assert caught.value.where.startswith(path) and "\n" not in str(caught.value)
        assert caught.value.todo


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_does_not_fill_the_memory(tmp_path, kind):
    path = write(tmp_path, f"a.txt.{kind}", PACK[kind](b"short\n" + b"x" * 60_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="longer than 1,048,576 characters") as caught:
            list(read_lines(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.where == f"{path}:2"
    assert peak < 24_000_000


def test_a_dictionary_or_window_that_fills_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(compressed, "XZ_MEMORY", 1 << 22)
    path = write(tmp_path, "a.xz", lzma.compress(DATA, preset=9))
    with pytest.raises(UserError, match="Pack it again with a dictionary below"):
        list(read_lines(path))
    options = {zstd.CompressionParameter.window_log: 24}
    made = zstd.ZstdCompressor(options=options)
    path = write(tmp_path, "a.zst", made.compress(DATA * 60) + made.flush())
    assert len(list(read_lines(path))) == 60 * 20_000
    monkeypatch.setattr(compressed, "ZST_WINDOW", 20)
    with pytest.raises(UserError, match="zstd data is broken"):
        list(read_lines(path))


def archive(folder, files: dict[str, bytes], name: str = "a.zip") -> str:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for inner, data in files.items():
            made.writestr(inner, data)
    return str(path)


def test_the_only_file_of_an_archive_is_read_and_several_are_refused(tmp_path, caplog):
    path = archive(tmp_path, {"README": b"about", "x/data.tsv": b"a\tb\n", "__MACOSX/._x": b""})
    assert list(read_lines(path)) == [(1, "a\tb")]
    assert caplog.messages == ["a.zip: x/data.tsv is read, of 2 files"]
    assert has_suffix(path, ".tsv") and bare_name(path) == "x/data.tsv"
    path = archive(tmp_path, {"a.tsv": b"a\n", "b.tsv": b"b\n"})
    with pytest.raises(UserError, match="holds 2 files") as caught:
        list(read_lines(path))
    advice = caught.value.todo.removeprefix("Name one as ").partition(" (")[0]
    assert list(read_lines(advice)) == [(1, "a")]
    with pytest.raises(UserError, match=r"no file 'c\.tsv' in this archive"):
        list(read_lines(f"{path}/c.tsv"))
    assert not has_suffix(path, ".tsv")
    with pytest.raises(UserError, match="compressed once more inside"):
        list(read_lines(archive(tmp_path, {"a.tsv.gz": gzip.compress(b"a\n")})))
    with pytest.raises(UserError, match="no file in this archive"):
        list(read_lines(archive(tmp_path, {"folder/": b""})))


def test_an_encrypted_archive_is_refused(tmp_path):
    data = bytearray(zipped(b"secret\n"))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    with pytest.raises(UserError, match="this archive is encrypted") as caught:
        list(read_lines(write(tmp_path, "a.txt.zip", bytes(data))))
    assert "password" in caught.value.todo


def test_an_archive_acts_as_a_folder(tmp_path):
    path = archive(tmp_path, {"x/a.tsv": b"", "b.tsv": b"", ".hidden": b""})
    assert files_in(path) == ["b.tsv", "x/a.tsv"]
    assert in_archive(f"{path}/x/a.tsv") == (path, "x/a.tsv")
    assert in_archive(f"{tmp_path}/none.zip/x") is None
    assert is_file(f"{path}/b.tsv") and not is_file(f"{path}/c.tsv") and not is_file("nul\0")
    assert files_in(str(tmp_path)) == ["a.zip"] and files_in("no such folder") == []
    assert unpacked("A/b.TSV.GZ") == "A/b.TSV" and unpacked("b.tsv") == "b.tsv"


@pytest.mark.parametrize("kind", PACK)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_give_lines_or_one_clear_error(tmp_path_factory, kind, data):
    good = PACK[kind](b"one\ntwo\n" * 50)
    spots = st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=4)
    changed = bytearray(good)
    for place, value in data.draw(spots):
        changed[place] = value
    cut = data.draw(st.integers(0, len(good)))
    content = data.draw(st.sampled_from([bytes(changed), bytes(changed[:cut]), good + bytes(cut)]))
    path = tmp_path_factory.getbasetemp() / f"fuzz.txt.{kind}"
    path.write_bytes(content)
    try:
        lines = list(read_lines(str(path)))
    except UserError as error:
        assert error.where.startswith(str(path)) and "\n" not in str(error)
    else:
        assert all("\n" not in line for _, line in lines)
