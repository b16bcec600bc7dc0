"""Questions over passages: SQuAD v1.1 as one JSON file, or one passage a line (``.jsonl``).

A line holds ``{"context": .., "qas": [{"question": .., "answers": [{"text": .., "answer_start":
..}]}]}``. ``answer_start`` counts the characters of ``context`` as it stands, a byte order mark at
its beginning included. Also ``.gz``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, open_bytes, read_lines, take
from xadapt.data.records import Question

MAX_BYTES = 1 << 29
"""The largest JSON file that is read as a whole."""


class Squad:
    """Reader of questions with answers inside a passage."""

    format: ClassVar[str] = "squad"
    gives: ClassVar[type] = Question

    def claims(self, source: str, request: object) -> bool:
        """No: a JSON file is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str) -> Iterator[Question]:
        """Stream the questions.

        Raises:
            UserError: The file is no JSON, something in it is missing or of the wrong kind, a
                question has no answer, or an answer does not stand where it says.
        """
        empty = True
        for passage, where in _passages(source):
            for question in _questions(passage, lang, where):
                empty = False
                yield question
        if empty:
            raise UserError("there is no question in this file", where=source)


def _passages(source: str) -> Iterator[tuple[Any, str]]:
    if has_suffix(source, ".jsonl", ".ndjson"):
        for number, line in read_lines(source):
            if line.strip():
                where = f"{source}:{number}"
                yield _parsed(line, where), where
        return
    with open_bytes(source) as stream:
        raw = take(stream.read, MAX_BYTES + 1, source)
    if len(raw) > MAX_BYTES:
        raise UserError(f"this file is larger than {MAX_BYTES >> 20} MiB", where=source)
    articles = _of(_parsed(raw, source), "data", list, source)
    for i, article in enumerate(articles):
        inside = f"{source}:data[{i}]"
        for j, passage in enumerate(_of(article, "paragraphs", list, inside)):
            yield passage, f"{inside}.paragraphs[{j}]"


def _questions(passage: Any, lang: str, where: str) -> Iterator[Question]:
    context = _of(passage, "context", str, where)
    for i, row in enumerate(_of(passage, "qas", list, where)):
        inside = f"{where} qas[{i}]"
        text = _of(row, "question", str, inside).strip()
        if not text:
            raise UserError("the question is empty", where=inside)
        answers = tuple(
            _answer(answer, context, inside) for answer in _of(row, "answers", list, inside)
        )
        if not answers:
            raise UserError(
                "this question has no answer",
                where=inside,
                todo="Leave it out: as in SQuAD v1.1, every question has one in its passage",
            )
        yield Question(text, context, answers, lang, origin=inside)


def _answer(answer: Any, context: str, where: str) -> tuple[int, str]:
    text, start = _of(answer, "text", str, where), _of(answer, "answer_start", int, where)
    if not text or start < 0 or context[start : start + len(text)] != text:
        raise UserError(
            f"the answer {text[:40]!r} does not stand at character {start} of the passage",
            where=where,
            todo="answer_start counts characters from 0",
        )
    return start, text


def _of(value: Any, key: str, kind: type, where: str) -> Any:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        raise UserError(f"there is no {key!r} that is a JSON {kind.__name__}", where=where)
    return found


def _parsed(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UserError(f"this is not JSON ({reason})", where=where) from None


Part = Squad
