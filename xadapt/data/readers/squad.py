"""Read questions over passages: SQuAD as one JSON file, or one passage a line (``.jsonl``).

A line holds ``{"context": .., "qas": [{"question": .., "answers": [{"text": .., "answer_start":
..}]}]}``. ``answer_start`` counts the characters of the unchanged ``context``. A byte order mark at
the beginning of ``context`` counts as one. A row of ``hf:``, Parquet or JSON lines may also be one
question, ``{"context": .., "question": .., "answers": {"text": [..], "answer_start": [..]}}``.

Questions of SQuAD 2 without an answer in the passage are counted and skipped, or kept as an option:
then the objective trains them towards the first token (Devlin et al. 2019,
https://arxiv.org/abs/1810.04805, section 4.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_json
from xadapt.data.readers.lines import open_bytes, read_lines, take
from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.records import Question

MAX_BYTES = 1 << 29
"""The largest size of a JSON file in bytes, since the file is read as a whole."""


@dataclass(frozen=True)
class Squad:
    """Reader of questions with answers inside a passage.

    Attributes:
        unanswerable: What happens to questions that say that they have no answer: ``skip`` or
            ``train`` (records without answers).
    """

    unanswerable: Literal["skip", "train"] = "skip"

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
                unanswerable (``is_impossible``, as in SQuAD 2, or without answers in a row of one
                question).

        Raises:
            UserError: If the file is no JSON or has no passages, or half of the questions are
                faulty (a value is missing or of the wrong type, there is no answer, or an answer
                is not at its offset in the passage).
        """
        found = noted(notes)
        without = 0
        empty = True
        rows = (
            question
            for passage, where in _passages(source)
            for question in questions_of(passage, lang, where)
        )
        for question in without_faulty(rows, source, found, "question"):
            if not question.answers:
                without += 1
                if self.unanswerable == "skip" or not question.question:
                    continue
            empty = False
            yield question
        if without:
            skipped = "passed over" if self.unanswerable == "skip" else "kept"
            found.add(source, f"{without:,} questions without an answer are {skipped}")
        if empty:
            raise UserError("there is no question in this file", where=source)


def _passages(source: str) -> Iterator[tuple[Any, str]]:
    kind = kind_of_rows(source)
    if kind == "jsonl":
        for number, line in read_lines(source):
            if line.strip():
                where = f"{source}:{number}"
                yield parse_json(line, where), where
        return
    if kind:
        for where, row in MappedRows(source):
            yield row, where
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


def questions_of(passage: Any, lang: str, where: str) -> Iterator[Question | RowError]:
    """Yield the questions of a passage, or the one question of a row."""
    context = attempt(_of, passage, "context", str, where)
    if isinstance(passage, dict) and "qas" not in passage and "question" in passage:
        if isinstance(context, RowError):
            yield context
        else:
            yield attempt(_question, _flat(passage), context, lang, where)
        return
    rows = attempt(_of, passage, "qas", list, where)
    if isinstance(context, RowError) or isinstance(rows, RowError):
        yield context if isinstance(context, RowError) else rows
        return
    for i, row in enumerate(rows):
        yield attempt(_question, row, context, lang, f"{where} qas[{i}]")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of one question in the form of a passage's: its answers as a list of objects."""
    answers = row.get("answers")
    if isinstance(answers, Mapping):
        texts, starts = answers.get("text"), answers.get("answer_start")
        if isinstance(texts, (list, tuple)) and isinstance(starts, (list, tuple)):
            pairs = zip_longest(texts, starts)
            answers = [{"text": text, "answer_start": start} for text, start in pairs]
    return {**row, "answers": answers, "is_impossible": answers == []}


def _question(row: Any, context: str, lang: str, where: str) -> Question:
    impossible = isinstance(row, dict) and row.get("is_impossible") is True
    if impossible and not isinstance(row.get("question"), str):
        return Question("", context, (), lang, origin=where)
    text = _of(row, "question", str, where).strip()
    if not text and not impossible:
        raise RowError("the question is empty", where=where)
    if impossible:
        return Question(text, context, (), lang, origin=where)
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
