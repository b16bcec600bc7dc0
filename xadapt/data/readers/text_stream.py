"""Stream texts to encode with their languages. Later rows are not kept in memory.

A source is a file with one text a line, ``-`` for standard input with one text a line, JSON lines,
Parquet, or ``hf:org/name`` streamed through ``datasets``. Lines and JSON lines may be compressed
(``.gz .bz2 .xz .zst .zip``). The language of a row comes from one tag for all rows, a line of a
second file, or another column.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.hub_dataset import Streamed, parse_source
from xadapt.data.readers.lines import LINE_CHARS, read_lines, stream_lines, too_long
from xadapt.data.readers.mapped_rows import (
    Located,
    MappedRows,
    kind_of_rows,
    parquet_columns,
    parquet_rows,
)
from xadapt.data.readers.sides import follow, is_unicode
from xadapt.languages.tags import normalise

Row = tuple[str, str | None]
STDIN = "standard input"


@dataclass(frozen=True)
class TextSource:
    """The source of texts and of their languages.

    Attributes:
        path: A file (lines, ``.jsonl``, ``.parquet``), ``-``, or ``hf:org/name[/config][:split]``.
        column: Column of the texts in a table, with dots for nested columns. The default is
            ``text``.
        lang: One language for all texts.
        languages: File with one tag a line, for each text. ``-`` or an empty line means the bare
            base.
        lang_column: Column of the tags, with the same meaning.

    Raises:
        UserError: If the languages are given twice, a tag is invalid, or columns are named for a
            source without columns.
    """

    path: str
    column: str | None = None
    lang: str | None = None
    languages: str | None = None
    lang_column: str | None = None

    def __post_init__(self) -> None:
        given = {
            "--lang": self.lang,
            "--languages": self.languages,
            "--lang-column": self.lang_column,
        }
        named = [option for option, value in given.items() if value is not None]
        if len(named) > 1:
            raise UserError(f"{' and '.join(named)} are both given", todo="Give one of them")
        if self.lang is not None:
            object.__setattr__(self, "lang", normalise(self.lang))
        if not self.tabular and (self.column or self.lang_column):
            raise UserError(
                "lines of text have no columns",
                where=self.name,
                todo="Name a .jsonl or .parquet file or hf:org/name, or leave the columns out",
            )

    @property
    def kind(self) -> str:
        """The kind of source by its name: ``lines``, ``jsonl``, ``parquet`` or ``hf``."""
        return kind_of_rows(self.path) or "lines"

    @property
    def tabular(self) -> bool:
        """Whether the rows have columns."""
        return self.kind != "lines"

    @property
    def speaks(self) -> bool:
        """Whether the languages of the texts are given."""
        return any((self.lang, self.languages, self.lang_column))

    @property
    def name(self) -> str:
        """The name of the source in errors."""
        return STDIN if self.path == "-" else self.path

    @property
    def title(self) -> str:
        """The name of the source without local folders."""
        if self.kind != "hf":
            return self.name if self.path == "-" else Path(self.path).name
        path, config, split = parse_source(self.path)
        shown = Path(path).name if Path(path).exists() else path
        return f"hf:{'/'.join(part for part in (shown, config) if part)}:{split}"


@dataclass(frozen=True)
class Survey:
    """Facts about a source before its rows are used.

    Attributes:
        rows: Number of rows. ``None`` if counting needs the network, or the rows can be read only
            once.
        hash: ``sha256:...`` of texts and tags, ``etag:...`` of a ``datasets`` source, or empty.
    """

    rows: int | None = None
    hash: str = ""


def survey(source: TextSource) -> Survey:
    """Read a local file once, so that every fault is reported before the work begins.

    Raises:
        UserError: If there is no text, or a row is faulty, as in `read_rows`.
    """
    if source.kind == "hf":
        return Survey(hash=f"etag:{Streamed(source.path).etag}")
    if source.path == "-":
        return Survey()
    digest, rows = Digest(), 0
    for row in read_rows(source):
        digest.add(row)
        rows += 1
    if not rows:
        raise UserError("there is no text", where=source.name)
    return Survey(rows, digest.value)


class Digest:
    """The SHA-256 of texts and their tags, in order."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._sha = hashlib.sha256()
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Add one row."""
        self._sha.update(f"{json.dumps(row, ensure_ascii=False)}\n".encode())

    @property
    def value(self) -> str:
        """Return ``sha256:...`` of the rows so far."""
        return f"sha256:{self._sha.hexdigest()}"


def read_rows(source: TextSource) -> Iterator[Row]:
    """Stream ``(text, language tag or None)``. Empty lines of plain text are texts.

    Raises:
        UserError: If the source can't be read, a text is not a string, a tag is unknown, or the
            numbers of tags and texts differ.
    """
    texts = _records(source) if source.tabular else _lines(source)
    return texts if source.languages is None else _beside(texts, source.languages, source.name)


def _lines(source: TextSource) -> Iterator[Row]:
    own = source.path != "-"
    lines = read_lines(source.path) if own else stream_lines(sys.stdin.buffer, STDIN)
    return ((line, source.lang) for _, line in lines)


def _beside(rows: Iterator[Row], file: str, name: str) -> Iterator[Row]:
    """Yield the rows with the tags of a file. Both must have the same length."""
    tags = read_lines(file)
    count = 0
    for count, (text, _) in enumerate(rows, 1):
        number, tag = next(tags, (0, ""))
        if not number:
            raise UserError(
                f"{name} has more texts than there are languages ({count - 1})",
                where=file,
                todo="Give one tag a line for each text, - for the bare base",
            )
        yield text, _tag(tag, f"{file}:{number}")
    if next(tags, None) is not None:
        raise UserError(
            f"{name} has {count} texts, and there are more languages",
            where=f"{file}:{count + 1}",
            todo="Give one tag a line for each text, - for the bare base",
        )


def _records(source: TextSource) -> Iterator[Row]:
    column = source.column or "text"
    rows = _parquet(source) if source.kind == "parquet" else iter(MappedRows(source.path))
    for where, record in rows:
        text = _text(_value(record, column, where), column, where)
        if source.lang_column is None:
            yield text, source.lang
            continue
        tag = _value(record, source.lang_column, where)
        yield text, _tag("" if tag is None else _text(tag, source.lang_column, where), where)


def _parquet(source: TextSource) -> Located:
    """Stream the columns that are used, one batch of a row group at a time."""
    columns = [name for name in (source.column or "text", source.lang_column) if name]
    there = parquet_columns(source.path)
    tops = [name if name in there else name.partition(".")[0] for name in columns]
    for name, top in zip(columns, tops, strict=True):
        if top not in there:
            raise _no_column(name, there, source.path)
    return parquet_rows(source.path, tops)


def _value(record: Mapping[str, Any], column: str, where: str) -> Any:
    try:
        return follow(record, column)
    except KeyError:
        raise _no_column(column, record, where) from None


def _no_column(column: str, found: Iterable[str], where: str) -> UserError:
    names = ", ".join(repr(str(name)[:40]) for name in list(found)[:8]) or "none"
    return UserError(
        f"there is no column {column!r} (found: {names})",
        where=where,
        todo="Name the texts' column with --column, the tags' with --lang-column",
    )


def _text(value: Any, column: str, where: str) -> str:
    if not isinstance(value, str):
        kind = "nothing" if value is None else type(value).__name__
        raise UserError(f"column {column!r} holds {kind}, not text", where=where)
    if len(value) > LINE_CHARS:
        raise too_long(where, LINE_CHARS)
    if not value.isascii() and not is_unicode(value):
        raise UserError(
            "this text holds half a surrogate pair, which is no character",
            where=where,
            todo="Repair the escape sequence or remove the row",
        )
    return value


def _tag(tag: str, where: str) -> str | None:
    tag = tag.strip()
    if tag in ("", "-"):
        return None
    try:
        return normalise(tag)
    except UserError as error:
        raise UserError(error.what, where=where, todo=error.todo) from None
