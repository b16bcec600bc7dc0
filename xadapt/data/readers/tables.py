"""Read rows of tables: tab-separated text, quoted or not, and CSV with RFC 4180 quoting.

Tab-separated text has no quoting of its own, but some programs quote it like CSV. It is read as
quoted only if its first lines have one of three signs of quoting. Quotes are doubled inside quoted
cells, or all cells of a column are quoted, or the rows have equal widths only with quoting.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import LINE_CHARS, Chunk, numbered, read_chunks, too_long
from xadapt.data.readers.notes import Notes

HEAD_ROWS, HEAD_CHARS = 1000, 1 << 20
"""The largest numbers of rows and characters that are checked before the first row."""

EVEN = 0.9
"""The smallest share of rows with one width if the text is read as quoted."""

Line = tuple[int, str]
Row = tuple[int, list[str]]


def tab_rows(source: str, notes: Notes, limit: int = LINE_CHARS) -> Iterator[Row]:
    """Yield ``(first line of the row, cells)`` of tab-separated text, also for empty lines.

    Raises:
        UserError: If a line can't be read, or the first lines are quoted and later quoting is
            broken.
    """
    quoted, chunks = tab_chunks(source, notes, limit)
    if quoted:
        yield from quoted_rows(numbered(chunks), source, "\t", limit)
        return
    for number, text in numbered(chunks):
        yield number, text.split("\t")


def tab_chunks(source: str, notes: Notes, limit: int = LINE_CHARS) -> tuple[bool, Iterator[Chunk]]:
    """Return whether tab-separated text is quoted, and its lines, many at a time.

    Raises:
        UserError: If a line can't be read.
    """
    chunks = read_chunks(source, limit=limit)
    head, whole = take_head(chunks)
    texts = [text for chunk in head for text in chunk.lines][:HEAD_ROWS]
    quoted = _is_quoted(texts, whole and len(texts) < HEAD_ROWS)
    if quoted:
        notes.add(source, "cells are quoted as in CSV: the quotes are taken off")
    return quoted, chain(head, chunks)


def quoted_rows(lines: Iterable[Line], source: str, delimiter: str, limit: int) -> Iterator[Row]:
    """Yield ``(first line of the row, cells)``. A quoted cell may have several lines.

    Raises:
        UserError: If the quoting is broken or a row is longer than ``limit`` characters.
    """
    feed = _Feed(lines, source, limit)
    rows = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.start()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"{source}:{feed.first}"
            if "field larger" in str(error):
                raise too_long(where, csv.field_size_limit()) from None
            sign = "tab" if delimiter == "\t" else "comma"
            raise UserError(
                f"this row is not valid {'TSV with quotes' if sign == 'tab' else 'CSV'} ({error})",
                where=where,
                todo=f'Cells with a {sign}, quote or line end stand in "..." with quotes doubled',
            ) from None
        yield feed.first, cells


def take_head(chunks: Iterator[Chunk]) -> tuple[list[Chunk], bool]:
    """Return the chunks of the first lines, and whether there are no more lines."""
    head: list[Chunk] = []
    lines = size = 0
    for chunk in chunks:
        head.append(chunk)
        lines += len(chunk.lines)
        size += sum(map(len, chunk.lines))
        if lines >= HEAD_ROWS or size >= HEAD_CHARS:
            return head, False
    return head, True


def _is_quoted(texts: Sequence[str], whole: bool) -> bool:
    plain = [text.split("\t") for text in texts if text.strip()]
    if not any(cell.startswith('"') for row in plain for cell in row):
        return False
    parsed = _parsed(texts, whole)
    (width, even), (_, even_if_plain) = _common_width(parsed), _common_width(plain)
    if width < 2 or even < max(EVEN, even_if_plain):
        return False
    doubled = any(map(_has_doubled, chain(*plain)))
    return even > even_if_plain or doubled or _whole_columns(plain)


def _common_width(rows: Sequence[Sequence[str]]) -> tuple[int, float]:
    """Return the most common width of the rows, and the share of rows with that width."""
    counts = Counter(map(len, rows))
    (width, count), *_ = counts.most_common(1) or [(0, 0)]
    return width, count / len(rows) if rows else 0.0


def _parsed(texts: Sequence[str], whole: bool) -> list[list[str]]:
    """Parse the rows with quoting. Return no rows if the quoting is invalid."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader((f"{text}\n" for text in texts), delimiter="\t", strict=True):
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        # A cell over several lines may be incomplete at the end of the first lines.
        return rows if "unexpected end" in str(error) and not whole else []
    return rows


def _has_doubled(cell: str) -> bool:
    inner = cell[1:-1]
    return _is_enclosed(cell) and '""' in inner


def _is_enclosed(cell: str) -> bool:
    ends = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return ends and '"' not in cell[1:-1].replace('""', "")


def _whole_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether each column is quoted in all rows or in none, apart from a bare header."""
    rest = rows if any(map(_is_enclosed, rows[0])) else rows[1:]
    columns = [[_is_enclosed(cell) for cell in column] for column in zip(*rest, strict=False)]
    mixed = any(any(column) and not all(column) for column in columns)
    return len(rest) > 2 and not mixed and any(map(any, columns))


class _Feed:
    """Lines for :func:`csv.reader`, with the first line and the length of the current row."""

    def __init__(self, lines: Iterable[Line], source: str, limit: int) -> None:
        self.source, self.limit = source, limit
        self.lines = iter(lines)
        self.first = self.last = self.chars = 0

    def start(self) -> None:
        self.first, self.chars = self.last + 1, 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        self.last, line = next(self.lines)
        self.chars += len(line) + 1
        if self.chars > self.limit + 1:
            raise too_long(f"{self.source}:{self.first}", self.limit)
        return line + "\n"
