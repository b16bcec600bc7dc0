"""Read sentences with links to entities: JSON lines with mentions in characters and ids.

A row has the text under ``text`` or ``sentence``, and under ``mentions`` or ``labels`` a list of
``{"start": .., "end": .., "id": "Q64"}`` with ends exclusive. Articles are cut into sentences;
``evaluation_span`` is the part of an article whose mentions are marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import parse_object
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes, RowError, attempt, batches_without_faulty, noted
from xadapt.data.records import LinkedSentence
from xadapt.languages.tags import normalise

END = re.compile(r"\n+|(?<=[.!?])\s+(?=[^\Wa-z\d_])|(?<=[。！？])")
"""Where a sentence may end: at a line break, or before a capital letter after a full stop."""
Mention = tuple[int, int, str]


@dataclass(frozen=True)
class LinkedSentences:
    """Reader of sentences and articles with linked mentions.

    Of mentions that overlap, the longest is kept. Sentences without a mention are left out.

    Attributes:
        ids: Mentions whose id begins with this are kept; empty keeps all.
        sentences: Cut texts into sentences, never inside a mention.
        text_lang: Language of the texts, if it is not that of the run: code-switching makes
            sentences of a language out of English ones.
    """

    ids: str = "Q"
    sentences: bool = True
    text_lang: str = ""

    format: ClassVar[str] = "linked_sentences"
    gives: ClassVar[type] = LinkedSentence

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a task names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[LinkedSentence]:
        """Stream the sentences that have a mention.

        Args:
            source: The file.
            lang: Language of the texts.
            notes: Where skipped rows are counted.

        Raises:
            UserError: If a line is no JSON object, half of the rows are faulty, or no sentence has
                a mention.
        """
        found = noted(notes)
        lang = normalise(self.text_lang) if self.text_lang else lang

        def made() -> Iterator[list[LinkedSentence] | RowError]:
            for number, line in read_lines(source):
                where = f"{source}:{number}"
                if line.strip():
                    yield attempt(self._rows, parse_object(line, where), lang, where)

        empty = True
        batches: Iterator[Sequence[LinkedSentence]] = batches_without_faulty(made(), source, found)
        for rows in batches:
            for record in rows:
                empty = False
                yield record
        if empty:
            raise UserError(
                "no text in this file has a linked mention",
                where=source,
                todo='Write rows such as {"text": "...", "mentions": [{"start": 0, "end": 5, '
                '"id": "Q64"}]}',
            )

    def _rows(self, row: Mapping[str, Any], lang: str, where: str) -> list[LinkedSentence]:
        text = text_of_row(row, where)
        mentions = [m for m in mentions_of(row, text, where) if m[2].startswith(self.ids)]
        start, end = _marked(row, text, where)
        pieces = list(cut(text, mentions, start, end)) if self.sentences else [(start, end)]
        made = []
        # A digest, and not the place: the hash of the data must not depend on a folder.
        key = blake2b(text.encode(), digest_size=8).hexdigest()
        for first, last in pieces:
            own = tuple((a - first, b - first, i) for a, b, i in mentions if first <= a < b <= last)
            if own:
                made.append(LinkedSentence(text[first:last], own, lang, row=key, origin=where))
        return made


def text_of_row(row: Mapping[str, Any], where: str) -> str:
    """Return the text of a row.

    Raises:
        RowError: If there is none.
    """
    text = row.get("text", row.get("sentence"))
    if not isinstance(text, str) or not text.strip():
        raise RowError("this row has no text", where=where)
    return text


def mentions_of(row: Mapping[str, Any], text: str, where: str) -> list[Mention]:
    """Return the mentions of a row in order; of those that overlap, the longest.

    Raises:
        RowError: If the row has none, or one is not inside the text.
    """
    given = row.get("mentions", row.get("labels"))
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise RowError("this row has no list of mentions", where=where)
    found: list[Mention] = []
    for one in given:
        start, end = (one.get(k) if isinstance(one, Mapping) else None for k in ("start", "end"))
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (start, end))
        if not whole or not 0 <= start < end <= len(text):  # type: ignore[operator]
            raise RowError("a mention is not inside the text", where=where)
        found.append((start, end, str(one.get("id") or "")))  # type: ignore[arg-type]
    return apart(found)


def apart(mentions: Sequence[Mention]) -> list[Mention]:
    """Return mentions that don't overlap, in order: the longest first, then the earliest."""
    kept: list[Mention] = []
    for one in sorted(mentions, key=lambda m: (m[0] - m[1], m[0])):
        if all(one[1] <= other[0] or one[0] >= other[1] for other in kept):
            kept.append(one)
    return sorted(kept)


def cut(text: str, mentions: Sequence[Mention], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a part of a text into sentences without surrounding spaces, never inside a mention."""
    first = start
    ends = [m.span() for m in END.finditer(text, start, end)]
    for stop, begin in [*ends, (end, end)]:
        if any(a < begin and b > stop for a, b, _ in mentions):
            continue
        own = text[first:stop]
        left = first + len(own) - len(own.lstrip())
        if own.strip():
            yield left, left + len(own.strip())
        first = begin


def _marked(row: Mapping[str, Any], text: str, where: str) -> tuple[int, int]:
    span = row.get("evaluation_span") or (0, len(text))
    if not isinstance(span, Sequence) or len(span) != 2 or not all(
        isinstance(n, int) for n in span
    ):  # fmt: skip
        raise RowError("evaluation_span is not two numbers", where=where)
    return max(0, span[0]), min(len(text), span[1])


Part = LinkedSentences
