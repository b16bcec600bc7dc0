"""Read questions over passages: SQuAD v1.1 as one JSON file, or one passage a line (``.jsonl``).

A line holds ``{"context": .., "qas": [{"question": .., "answers": [{"text": .., "answer_start":
..}]}]}``. ``answer_start`` counts the characters of the unchanged ``context``. A byte order mark at
the beginning of ``context`` counts as one. Also ``.gz``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_json
from xadapt.data.readers.lines import has_suffix, open_bytes, read_lines, take
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.records import Question

MAX_BYTES = 1 << 29
"""The largest size of a JSON file in bytes, since the file is read as a whole."""


class Squad:
    """Reader of questions with answers inside a passage."""

    format: ClassVar[str] = "squad"
    gives: ClassVar[type] = Question

    def claims(self, source: str, request: object) -> bool:
        """Return False: a JSON file is parallel text unless a recipe says otherwise."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[Question]:
        """Stream the questions.

        Args:
            source: The file.
            lang: Language of the file.
            notes: Where skipped questions are reported, and questions that are marked as
                unanswerable (``is_impossible``, as in SQuAD 2).

        Raises:
            UserError: If the file is no JSON or has no passages, or half of the questions are
                faulty (a value is missing or of the wrong type, there is no answer, or an answer
                is not at its offset in the passage).
        """
        found = noted(notes)
        unanswerable, empty = [0], True
        rows = (
            question
            for passage, where in _passages(source)
            for question in _questions(passage, lang, where, unanswerable)
        )
        for question in without_faulty(rows, source, found, "question"):
            empty = False
            yield question
        if unanswerable[0]:
            found.add(source, f"{unanswerable[0]:,} questions without an answer are passed over")
        if empty:
            raise UserError("there is no question in this file", where=source)


def _passages(source: str) -> Iterator[tuple[Any, str]]:
    if has_suffix(source, ".jsonl", ".ndjson"):
        for number, line in read_lines(source):
            if line.strip():
                where = f"{source}:{number}"
                yield parse_json(line, where), where
        return
    with open_bytes(source) as stream:
        raw = take(stream.read, MAX_BYTES + 1, source)
    if len(raw) > MAX_BYTES:
        raise UserError(f"this file is larger than {MAX_BYTES >> 20} MiB", where=source)
    articles = _of(parse_json(raw, source), "data", list, source)
    for i, article in enumerate(articles):
        inside = f"{source}:data[{i}]"
        for j, passage in enumerate(_of(article, "paragraphs", list, inside)):
            yield passage, f"{inside}.paragraphs[{j}]"


def _questions(
    passage: Any, lang: str, where: str, unanswerable: list[int]
) -> Iterator[Question | RowError]:
    context = attempt(_of, passage, "context", str, where)
    rows = attempt(_of, passage, "qas", list, where)
    if isinstance(context, RowError) or isinstance(rows, RowError):
        yield context if isinstance(context, RowError) else rows
        return
    for i, row in enumerate(rows):
        if isinstance(row, dict) and row.get("is_impossible") is True:
            unanswerable[0] += 1
        else:
            yield attempt(_question, row, context, lang, f"{where} qas[{i}]")


def _question(row: Any, context: str, lang: str, where: str) -> Question:
    text = _of(row, "question", str, where).strip()
    if not text:
        raise RowError("the question is empty", where=where)
    answers = tuple(_answer(answer, context, where) for answer in _of(row, "answers", list, where))
    if not answers:
        raise RowError(
            "this question has no answer",
            where=where,
            todo="Leave it out: as in SQuAD v1.1, every question has one in its passage",
        )
    return Question(text, context, answers, lang, origin=where)


def _answer(answer: Any, context: str, where: str) -> tuple[int, str]:
    text, start = _of(answer, "text", str, where), _of(answer, "answer_start", int, where)
    if not text or start < 0 or context[start : start + len(text)] != text:
        raise RowError(
            f"the answer {text[:40]!r} does not stand at character {start} of the passage",
            where=where,
            todo="answer_start counts characters from 0",
        )
    return start, text


def _of(value: Any, key: str, kind: type, where: str) -> Any:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        raise RowError(f"there is no {key!r} that is a JSON {kind.__name__}", where=where)
    return found


Part = Squad
