import bz2
import gzip
import lzma
import struct

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.maps.vector_files import read_vectors, write_vectors
from xadapt.maps.word_vectors import WordVectors

TEXT = "3 2\ncat 1 2\ndog -0.5 1e-3\nice cream 3 4\n"
ROWS = [[1, 2], [-0.5, 1e-3], [3, 4]]


def put(tmp_path, text, name="a.vec"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_header_and_words_with_spaces(tmp_path):
    found = read_vectors(put(tmp_path, TEXT))
    assert found.words == ("cat", "dog", "ice cream")
    assert found.vectors.dtype == np.float32 and np.allclose(found.vectors, ROWS)
    assert found.notes == () and found.dim == 2


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.vec.gz", gzip.compress), ("a.txt.bz2", bz2.compress), ("a.vec.xz", lzma.compress)],
)
def test_compressed_files(tmp_path, name, pack):
    assert len(read_vectors(put(tmp_path, pack(TEXT.encode()), name))) == 3


def test_no_header_trailing_spaces_tabs_windows_ends_and_a_bom(tmp_path):
    text = b"\xef\xbb\xbf2019 1 2 \r\nfoo\t3\t4\r\n\r\nno\xc2\xa0break 5 6\r\n"
    found = read_vectors(put(tmp_path, text))
    assert found.words == ("2019", "foo", "no\xa0break")
    assert found.vectors.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_the_most_words(tmp_path):
    assert read_vectors(put(tmp_path, TEXT), 2).words == ("cat", "dog")
    assert len(read_vectors(put(tmp_path, TEXT), 0)) == 3


def test_words_that_stand_twice_keep_the_first_vector_and_are_told(tmp_path):
    found = read_vectors(put(tmp_path, "3 1\na 1\na 2\nb 0\n"))
    assert found.words == ("a", "b") and found.vectors.tolist() == [[1], [0]]
    assert found.notes == (
        "1 rows of words that stood before were left out",
        "1 words have a vector of zeros, which is near no word",
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("2 2\na 1 2\nb 1\n", ":3", "this row has 1 numbers, and the first line has 2"),
        ("a 1 2\nb 1\n", ":2", "this row has 1 numbers, and the first row has 2"),
        ("2 2\na 1 2\nb 1 x\n", ":3", "'x' is no number"),
        ("a 1 2\nb 1 nan\n", ":2", "NaN or infinity"),
        ("a 1 2\nb 1 inf\n", ":2", "NaN or infinity"),
        ("1 2\n 1 2\n", ":2", "this row has 1 numbers"),
        ("word\n", ":1", "a word and its numbers"),
        ("2 99999999\na 1 2\n", ":1", "vectors of 99999999 values"),
        ("2 2\na 1 2\nb 1 0x12\n", ":3", "'0x12' is no number"),
        (b"a 1 2\n\xff\xfe 1 2\n", ":2", "not UTF-8"),
        ("9 2\na 1 2\n", "", "promises 9 words, and there are 1"),
        ("", "", "empty"),
        ("\n\n", "", "empty"),
        ("0 2\n", "", "no word vectors"),
    ],
)
def test_a_bad_file_is_one_line_with_file_and_line(tmp_path, text, line, said):
    path = put(tmp_path, text)
    with pytest.raises(UserError) as raised:
        read_vectors(path)
    assert str(raised.value).startswith(f"{path}{line}: ") and said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_such_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.vec", tmp_path):
        with pytest.raises(UserError, match=r"no such file|folder"):
            read_vectors(path)


def test_a_damaged_gzip(tmp_path):
    with pytest.raises(UserError, match=r"damaged|cut|broken|gz"):
        read_vectors(put(tmp_path, gzip.compress(TEXT.encode() * 50)[:60], "a.vec.gz"))


def binary(rows, count=None, dim=2):
    made = f"{len(rows) if count is None else count} {dim}\n".encode()
    for word, values in rows:
        made += word.encode() + b" " + struct.pack(f"<{len(values)}f", *values) + b"\n"
    return made


def test_word2vec_binary(tmp_path):
    rows = [("cat", (1, 2)), ("größe", (-0.5, 0.25))]
    found = read_vectors(put(tmp_path, binary(rows), "a.bin"))
    assert found.words == ("cat", "größe") and found.vectors.tolist() == [[1, 2], [-0.5, 0.25]]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (binary([("a", (1, 2))], 3), "inside word 2 of 3"),
        (binary([("a", (1, 2))])[:-6], "inside word 1 of 1"),
        (binary([("a", (1, float("nan")))]), "vector of word 1 holds NaN"),
        (struct.pack("<i", 793712314) + b"....", "model of fastText"),
        (b"hello world, no numbers\n", "no binary file"),
        (b"", "no binary file"),
        (binary([], 5, 10**9), "vectors of 1000000000 values"),
    ],
)
def test_a_bad_binary_file(tmp_path, raw, said):
    with pytest.raises(UserError, match=said):
        read_vectors(put(tmp_path, raw, "a.bin"))


def test_write_and_read_again(tmp_path):
    vectors = WordVectors(("a b", "ç"), np.array([[1.5, -2], [1 / 3, 0]], np.float32))
    write_vectors(tmp_path / "out.vec", vectors)
    found = read_vectors(tmp_path / "out.vec")
    assert found.words == vectors.words and np.allclose(found.vectors, vectors.vectors, rtol=1e-5)
    with pytest.raises(UserError, match="there is a file already"):
        write_vectors(tmp_path / "out.vec", vectors)


def test_any_text_gives_vectors_or_one_clear_line(tmp_path):
    """Random edits of a good file: never another error."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a.vec"
    for _ in range(300):
        raw = bytearray(TEXT.encode())
        for at in rng.integers(0, len(raw), rng.integers(1, 6)):
            raw[at] = rng.integers(0, 256)
        path.write_bytes(bytes(raw[: rng.integers(1, len(raw) + 1)]))
        try:
            assert np.isfinite(read_vectors(path).vectors).all()
        except UserError as error:
            assert str(path) in str(error)
