"""Read questions over passages with their translations, one question a row.

A row of JSON lines, Parquet or ``hf:`` is a question as for the reader ``squad``, with a further
column ``translation`` of the same form: ``{"context": .., "question": .., "answers": ..}``, where
the answers may be missing. Other sources are read as ``squad``; they have no translations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from xadapt.data.readers.mapped_rows import MappedRows, kind_of_rows
from xadapt.data.readers.notes import Notes, RowError, noted, without_faulty
from xadapt.data.readers.squad import Squad, questions_of
from xadapt.data.records import Question, TranslatedQuestion


class TranslatedSquad:
    """Reader of questions with translations. It never claims a file."""

    format: ClassVar[str] = "translated_squad"
    gives: ClassVar[type] = TranslatedQuestion

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a task names this reader."""
        return False

    def read(
        self, source: str, lang: str, notes: Notes | None = None
    ) -> Iterator[TranslatedQuestion]:
        """Stream the questions.

        Args:
            source: The file, or ``hf:org/name``.
            lang: Language of the questions.
            notes: Where skipped questions are reported.

        Raises:
            UserError: If the file has no question, or half of the questions are faulty.
        """
        found = noted(notes)
        first = next(iter(MappedRows(source)), None) if kind_of_rows(source) else None
        if first is None or "translation" not in first[1]:
            for row in Squad().read(source, lang, found):
                yield _with(row, (), ())
            return
        rows = (_row(row, lang, where) for where, row in MappedRows(source))
        yield from without_faulty(rows, source, found, "question")


def _row(row: Mapping[str, Any], lang: str, where: str) -> TranslatedQuestion | RowError:
    own = next(questions_of(row, lang, where))
    if isinstance(own, RowError):
        return own
    said = row.get("translation")
    if not said:
        return _with(own, (), ())
    other = next(questions_of(said, lang, where)) if isinstance(said, dict) else None
    if isinstance(said, dict) and not said.get("answers"):
        other = next(questions_of({**said, "answers": []}, lang, where))
    if not isinstance(other, Question):
        return RowError(
            "the translation has no question and context, or its answers are not at their place",
            where=where,
        )
    return _with(own, (other.question, other.passage), other.answers)


def _with(
    row: Question, said: tuple[str, ...], answers: tuple[tuple[int, str], ...]
) -> TranslatedQuestion:
    made = TranslatedQuestion(row.question, row.passage, row.answers, row.lang, origin=row.origin)
    return replace(made, translation=said, translated_answers=answers)


Part = TranslatedSquad
