"""Read the rows of the EntityCS corpus: JSON lines with marked entities.

A row is ``{"en_sentence": "... <en>coral reef</en> ...", "cs_sentence": "... <de>Korallenriff</de>
...", "language": "de"}``. The marks are found, then deleted from the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_object
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.records import LinkedSentence
from xadapt.languages.tags import is_tag, normalise

MARK = re.compile(r"<(/?)([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)>")
ENGLISH, ANY = "en", ("mul", "und")


@dataclass(frozen=True)
class EntityCS:
    """Reader of code-switched sentences in the language of the run.

    ``en`` reads the English sentences, and ``mul`` the switched ones of all languages. Rows of
    other languages are passed over.
    """

    format: ClassVar[str] = "entity_cs"
    gives: ClassVar[type] = LinkedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a task names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[LinkedSentence]:
        """Stream the sentences.

        Args:
            source: The file.
            lang: The language into which entities are switched, ``en``, or ``mul``.
            notes: Where skipped rows are counted.

        Raises:
            UserError: If a line is no JSON object, half of the rows are faulty, or no row is in the
                language.
        """
        found = noted(notes)

        def made() -> Iterator[LinkedSentence | RowError]:
            english: set[str] = set()
            for number, line in read_lines(source):
                where = f"{source}:{number}"
                if not line.strip():
                    continue
                record = attempt(_row, parse_object(line, where), lang, where)
                if isinstance(record, RowError):
                    yield record
                elif record is not None and record.text not in english:
                    if lang == ENGLISH:
                        english.add(record.text)  # it stands once for each language
                    yield record

        empty = True
        for record in without_faulty(made(), source, found):
            empty = False
            yield record
        if empty:
            raise UserError(
                f"no row is in {lang}", where=source, todo="Use mul for the rows of all languages"
            )


def _row(row: Mapping[str, Any], lang: str, where: str) -> LinkedSentence | None:
    own = row.get("language")
    if not isinstance(own, str) or not is_tag(own):
        raise RowError("this row has no language", where=where)
    tag = normalise(own)
    english = row.get("en_sentence")
    marked = english if lang == ENGLISH else row.get("cs_sentence")
    if not isinstance(marked, str) or not marked.strip():
        raise RowError("this row has no sentence", where=where)
    if lang not in (ENGLISH, tag, *ANY):
        return None
    text, mentions = unmarked(marked, where)
    key = unmarked(english, where)[0] if isinstance(english, str) else text
    return LinkedSentence(
        text, mentions, ENGLISH if lang == ENGLISH else tag, row=key, origin=where
    )


def unmarked(marked: str, where: str = "") -> tuple[str, tuple[tuple[int, int, str], ...]]:
    """Delete the marks of entities from a sentence.

    Args:
        marked: The sentence.
        where: Its place, for errors.

    Returns:
        The text without marks, and the mentions. Entities without text are left out.

    Raises:
        RowError: If a mark is not closed, or inside another one.
    """
    text, done, opened = "", 0, None
    mentions: list[tuple[int, int, str]] = []
    for mark in MARK.finditer(marked):
        text += marked[done : mark.start()]
        done = mark.end()
        closing, tag = bool(mark[1]), mark[2].lower()
        if closing:
            if opened is None or opened[1] != tag:
                raise RowError(f"the mark {mark[0]} closes nothing", where=where)
            if text[opened[0] :].strip():
                mentions.append((opened[0], len(text), ""))
            opened = None
        elif opened is not None:
            raise RowError(f"the mark {mark[0]} is inside another one", where=where)
        else:
            opened = (len(text), tag)
    if opened is not None:
        raise RowError("a mark is not closed", where=where)
    return text + marked[done:], tuple(mentions)


Part = EntityCS
