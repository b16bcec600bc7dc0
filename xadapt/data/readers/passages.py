"""Read passages (id, title, text), queries of passages, and questions for a search.

Passages are tab-separated ``id, text`` or ``id, title, text``, with or without a header, or JSON
lines with ``id`` (or ``_id``), ``text`` and perhaps ``title``. Queries of passages are lines of
passage id, tab, query. Questions are lines of id, tab, question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.row_records import label_of, text_of

FORM = "Write: id, tab, text; or id, tab, title, tab, text; or JSON lines with id, title and text"
HEADER = (("id", "text"), ("id", "title", "text"), ("_id", "title", "text"))
ID_NAMES, TEXT_NAMES = ("id", "_id", "docid"), ("text", "contents", "passage")


@dataclass(frozen=True)
class Passage:
    """A passage with its id; the title may be empty."""

    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """The text that is encoded; see `passage_text`."""
        return passage_text(self.title, self.text)


def passage_text(title: str, text: str) -> str:
    """Return title and text as the one text that is encoded, in training and in an index."""
    return f"{title} {text}" if title else text


def read_passages(source: str) -> Iterator[Passage]:
    """Stream passages.

    Args:
        source: A table or JSON lines, also compressed.

    Raises:
        UserError: If a row has no id or no text, an id is there twice, or there is no passage.
    """
    seen: set[str] = set()
    for where, passage in _named(source) if kind_of_rows(source) else _table(source):
        if passage.id in seen:
            raise UserError(f"the id {passage.id[:40]!r} is there twice", where=where)
        seen.add(passage.id)
        yield passage
    if not seen:
        raise UserError("there is no passage in this file", where=source, todo=FORM)


def read_by_id(source: str, what: str = "query") -> Iterator[tuple[str, str, str]]:
    """Stream ``(place, id, text)`` of lines of two columns.

    Args:
        source: A file with lines of id, tab, text.
        what: Name of the text in errors.

    Raises:
        UserError: If a line has other columns or an empty one, or there is no line.
    """
    form = f"Write: id, tab, {what}"
    found = False
    for number, line in read_lines(source):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 2 or not all(cells):
            raise UserError(f"this line is no id and {what}", where=where, todo=form)
        found = True
        yield where, cells[0], text_of(cells[1], f"the {what}", where)
    if not found:
        raise UserError(f"there is no {what} in this file", where=source, todo=form)


def _named(source: str) -> Iterator[tuple[str, Passage]]:
    for where, row in MappedRows(source):
        if not isinstance(row, Mapping):
            raise UserError(f"this row is {type(row).__name__}", where=where, todo=FORM)
        name, text = _first(row, ID_NAMES), _first(row, TEXT_NAMES)
        title = row.get("title") or ""
        title = text_of(title, "the title", where) if title else ""
        yield (
            where,
            Passage(label_of(name, "the id", where), title, text_of(text, "the text", where)),
        )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _table(source: str) -> Iterator[tuple[str, Passage]]:
    width = 0
    for number, line in read_lines(source):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if not width:
            width = len(cells)
            if tuple(cell.casefold() for cell in cells) in HEADER:
                continue
        if len(cells) != width or width not in (2, 3):
            raise UserError(f"this line has {len(cells)} columns", where=where, todo=FORM)
        title = cells[1] if width == 3 else ""
        name = text_of(cells[0], "the id", where)
        yield where, Passage(name, title, text_of(cells[-1], "the text", where))
