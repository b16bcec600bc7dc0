"""Rows of texts to annotate: JSON lines, or a text on each line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.data.readers.sides import is_unicode
from xadapt.languages.tags import normalise

FORM = 'Write {"text": .., "lang": ..} with an "id" if you like'


@dataclass(frozen=True)
class TextRow:
    """One text.

    Attributes:
        number: Its line in the file, from 1.
        id: Its id; without one, the number of the line.
        text: The text.
        lang: Its language.
        values: The whole row.
    """

    number: int
    id: str
    text: str
    lang: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)


def read_text_rows(path: str, lang: str | None) -> Iterator[TextRow]:
    """Read rows one at a time; the file may be compressed. Empty lines are skipped.

    Args:
        path: JSON lines with ``text``, or any other file as a text on each line.
        lang: Language of rows that name none.

    Raises:
        UserError: If the file can't be read, or a row has no text or no language.
    """
    usual = None if lang is None else normalise(lang)
    as_json = has_suffix(path, ".jsonl", ".ndjson")
    for number, line in read_lines(path):
        if line.strip():
            where = f"{path}:{number}"
            value = parse_json(line, where=where) if as_json else {"text": line.strip()}
            yield _row(value, number, usual, where)


def _row(value: Any, number: int, lang: str | None, where: str) -> TextRow:
    if not isinstance(value, dict):
        raise UserError("a row must be an object", where=where, todo=FORM)
    text, name, own = value.get("text"), value.get("id", number), value.get("lang", lang)
    if text is None and isinstance(value.get("tokens"), list):
        text = " ".join(map(str, value["tokens"]))
    if not isinstance(text, str) or not text.strip():
        raise UserError("this row has no text", where=where, todo=FORM)
    if not is_unicode(text):
        raise UserError("the text holds half a surrogate pair, which is no character", where=where)
    if isinstance(name, (dict, list)):
        raise UserError("an id must be a text or a number", where=where)
    if not isinstance(own, str):
        raise UserError("this row has no language", where=where, todo="Add lang, or --lang TAG")
    try:
        tag = normalise(own)
    except UserError as error:
        raise UserError(error.what, where=where, todo=error.todo) from None
    return TextRow(number, str(name), text, tag, value)
