"""Read sentence pairs as words, one pair for every line, so that lines of results match them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_object
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.notes import name_of

Words = list[str]
SIDES = (("source", "src", "left", "pivot"), ("target", "tgt", "right", "text"))


def read_sentence_lines(
    source: str, columns: tuple[int, int] = (1, 2)
) -> Iterator[tuple[Words, Words]]:
    """Stream the words of both sentences of every line; an empty line gives an empty pair.

    Args:
        source: A file with tabs or ``|||`` between sentences, ``LEFT,RIGHT``, or ``.jsonl`` with
            ``source`` and ``target`` as texts or lists of words.
        columns: Columns of the first and the second sentence, from 1.

    Raises:
        UserError: If a file is missing, a line has too few columns, or files differ in length.
    """
    if Path(source).exists() or "," not in source:
        rows = _of_json(source) if has_suffix(source, ".jsonl") else _of_lines(source, columns)
        yield from rows
        return
    paths = [part.strip() for part in source.split(",")]
    if len(paths) != 2:
        raise UserError(f"{len(paths)} files are named, not two", where=source)
    for left, right in zip_longest(*map(read_lines, paths)):
        if left is None or right is None:
            raise UserError(
                f"{name_of(paths[0])} and {name_of(paths[1])} differ in length",
                where=f"{paths[0] if left is None else paths[1]}:{(left or right)[0]}",
                todo="Both files must have the same number of lines",
            )
        yield left[1].split(), right[1].split()


def _of_lines(source: str, columns: tuple[int, int]) -> Iterator[tuple[Words, Words]]:
    for number, line in read_lines(source):
        if not line.strip():
            yield [], []
            continue
        cells = line.split("\t") if "\t" in line else line.split("|||")
        if len(cells) < max(columns):
            raise UserError(
                f"this line has {len(cells)} column{'s' * (len(cells) > 1)}",
                where=f"{source}:{number}",
                todo="Write: sentence, tab, its translation",
            )
        left, right = (cells[column - 1].split() for column in columns)
        yield left, right


def _of_json(source: str) -> Iterator[tuple[Words, Words]]:
    for number, line in read_lines(source):
        if not line.strip():
            yield [], []
            continue
        where = f"{source}:{number}"
        row = parse_object(line, where)
        left, right = (_side(row, names, where) for names in SIDES)
        yield left, right


def _side(row: Any, names: tuple[str, ...], where: str) -> Words:
    value = next((row[name] for name in names if name in row), None)
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value):
        return list(value)
    raise UserError(
        f"{names[0]!r} is no text and no list of words",
        where=where,
        todo='Write {"source": .., "target": ..}',
    )
