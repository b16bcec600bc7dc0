"""Files of word vectors: the text of word2vec, fastText and GloVe, and word2vec's binary form.

A text file has one word a line with its numbers, separated by spaces. The first line may say the
number of words and of values. The text may be compressed (``.gz``, ``.bz2``, ``.xz``, ``.zst``). A
word may hold spaces: the numbers are taken from the end of the line.

Source: https://code.google.com/archive/p/word2vec and https://fasttext.cc/docs/en/crawl-vectors.html.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.data.readers.lines import open_bytes, read_lines, take
from xadapt.maps.word_vectors import WordVectors

MAX_VOCAB = 200_000
"""The default number of words that are read, as in MUSE."""

MAX_DIM = 65_536
FASTTEXT_MODEL = (793712314).to_bytes(4, "little")
WORD_BYTES = 4096
Row = tuple[str, NDArray[np.float32]]


def read_vectors(path: str | Path, max_vocab: int = MAX_VOCAB) -> WordVectors:
    """Read the first words of a file of word vectors.

    Args:
        path: The file. Names in ``.bin`` are read as word2vec's binary form, others as text.
        max_vocab: The most words to read; 0 or less reads all.

    Returns:
        Words and vectors. Of a word that stands twice, the first vector is kept; the notes tell.

    Raises:
        UserError: If there is no such file, a row has another number of values than the first, a
            value is no finite number, the file holds fewer words than its first line says, or the
            file is a fastText model. The message names the file and the line.
    """
    path = str(path)
    if path.endswith(".bin"):
        with open_bytes(path) as stream:
            return _kept(path, _binary_rows(stream, path), max_vocab)
    return _kept(path, _text_rows(path), max_vocab)


def write_vectors(path: str | Path, vectors: WordVectors) -> None:
    """Write word vectors as word2vec's text, with six digits, atomically.

    Raises:
        UserError: If the file exists already, or can't be written.
    """
    path = Path(path)
    require_new(path)
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(f"{len(vectors)} {vectors.dim}\n")
        for word, row in zip(vectors.words, vectors.vectors, strict=True):
            stream.write(f"{word} {' '.join(f'{value:.6g}' for value in row)}\n")


def require_new(path: Path) -> None:
    """Refuse a file that exists.

    Raises:
        UserError: If the file exists already.
    """
    if path.exists():
        raise UserError("there is a file already", where=str(path), todo="Name another one")


def _kept(path: str, rows: Iterator[Row], max_vocab: int) -> WordVectors:
    """Collect rows; leave out words that stood before."""
    words: dict[str, None] = {}
    vectors, twice = [], 0
    for word, vector in rows:
        if word in words:
            twice += 1
            continue
        words[word] = None
        vectors.append(vector)
        if len(vectors) == max_vocab:
            break
    if not vectors:
        raise UserError("there are no word vectors in this file", where=path)
    notes = [f"{twice:,} rows of words that stood before were left out"] if twice else []
    matrix = np.stack(vectors)
    zero = int((~matrix.any(axis=1)).sum())
    if zero:
        notes.append(f"{zero:,} words have a vector of zeros, which is near no word")
    return WordVectors(tuple(words), matrix, tuple(notes))


def _text_rows(path: str) -> Iterator[Row]:
    lines = read_lines(path)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        raise UserError("this file is empty", where=path)
    header = _header(first[1])
    if header is None:
        dim = len(first[1].split()) - 1
        if dim < 1:
            raise UserError(
                "a line of word vectors is a word and its numbers", where=f"{path}:{first[0]}"
            )
        yield from _parsed(path, chain([first], lines), dim, "the first row")
        return
    count, dim = header
    _require_dim(dim, f"{path}:{first[0]}")
    seen = 0
    for row in _parsed(path, lines, dim, "the first line"):
        seen += 1
        yield row
    if seen < count:
        raise UserError(
            f"the first line promises {count:,} words, and there are {seen:,}",
            where=path,
            todo="The file may be cut off: fetch it again, or correct the first line",
        )


def _header(line: str) -> tuple[int, int] | None:
    """Return count and width of a first line of two whole numbers."""
    parts = line.split()
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return int(parts[0][:18]), int(parts[1][:18])


def _require_dim(dim: int, where: str) -> None:
    if not 1 <= dim <= MAX_DIM:
        raise UserError(f"the first line promises vectors of {dim} values", where=where)


def _parsed(path: str, lines: Iterable[tuple[int, str]], dim: int, who: str) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{path}:{number}"
        text = line.replace("\t", " ").rstrip(" \r")
        parts = text.rsplit(" ", dim)
        word = parts[0].rstrip(" ")  # a leading space is a word that is empty
        if len(parts) != dim + 1 or not word.strip():
            found = len(text.split()) - 1
            raise UserError(
                f"this row has {max(found, 0)} numbers, and {who} has {dim}",
                where=where,
                todo="Correct or remove the row",
            )
        yield word, _numbers(text[len(parts[0]) :], dim, where)


def _numbers(text: str, dim: int, where: str) -> NDArray[np.float32]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # text after the last number
            values = np.fromstring(text, dtype=np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        values = np.empty(0, np.float32)
    if len(values) != dim:
        wrong = next((part for part in text.split() if not _is_number(part)), text.strip()[:40])
        raise UserError(
            f"{wrong!r} is no number, or the row has not {dim} of them",
            where=where,
            todo="Correct or remove the row",
        )
    if not np.isfinite(values).all():
        raise UserError("this vector holds NaN or infinity", where=where, todo="Remove the row")
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _binary_rows(stream: IO[bytes], path: str) -> Iterator[Row]:
    line = take(stream.readline, 64, path)
    if line.startswith(FASTTEXT_MODEL):
        raise UserError(
            "this is a model of fastText, not word vectors",
            where=path,
            todo="Use the .vec file beside it, or write one with fasttext print-word-vectors",
        )
    header = _header(line.decode("ascii", "replace").strip())
    if header is None or not line.endswith(b"\n"):
        raise UserError("this is no binary file of word2vec", where=path, todo="Use its text form")
    count, dim = header
    _require_dim(dim, path)
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := take(stream.read, 1, path)) != b" ":
            if not byte or len(word) > WORD_BYTES:
                raise _cut(path, number, count)
            word += byte
        raw = take(stream.read, 4 * dim, path)
        if len(raw) != 4 * dim:
            raise _cut(path, number, count)
        values = np.frombuffer(raw, "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise UserError(f"the vector of word {number} holds NaN or infinity", where=path)
        yield word.decode("utf-8", "replace").lstrip("\n"), values


def _cut(path: str, number: int, count: int) -> UserError:
    return UserError(
        f"the file ends inside word {number:,} of {count:,}", where=path, todo="Fetch it again"
    )
