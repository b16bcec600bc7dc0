"""Carry open triples to other languages: translate a sentence, then find its triples in it.

A language model translates the sentence, and is then asked for the parts of each triple as they
stand in the translation. A row is kept if the translation is not in the source's language and every
part of every triple stands in it, letter by letter, without overlap.

Source: MT4CrossOIE, https://arxiv.org/abs/2308.06552, section on data transfer (OpenIE4++); the
filters are those of its code. The prompts are our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import RowError
from xadapt.data.readers.open_triples import extraction
from xadapt.data.records import PREDICATE, ROLES
from xadapt.functional.grounding import occurrences, word_places
from xadapt.functional.tag_scheme import Span
from xadapt.integrations.language_detector import LanguageDetector
from xadapt.integrations.language_models.client import Client
from xadapt.languages.tags import display_name, normalise
from xadapt.pipelines.annotate import Made, RejectedError
from xadapt.pipelines.text_rows import TextRow

SYSTEM = "You prepare data in several languages. You reply with one JSON object and nothing else."
VERSION = 1
FORM = (
    'Write {"text": .., "triples": [[subject, predicate, object, ..]]} or {"tokens": .., '
    '"extractions": [[[start, end, "P"], [start, end, "A0"]]]}'
)
MANY = 6
"""Occurrences of a part that are tried."""
SOURCE, PARTS = "source lang", "parts"

Parts = dict[str, str]
"""The words of each role of a triple; the predicate is ``P``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Translated(_Strict):
    """A translated sentence."""

    translation: str = Field(min_length=1)


class Segments(_Strict):
    """The parts of a triple in the translation."""

    predicate: str = Field(min_length=1)
    arguments: list[str]


@dataclass(frozen=True)
class Triples:
    """The task ``open_ie`` of ``annotate``. The first model is asked.

    Attributes:
        into: Languages to carry each row to.
        detector: What tells the language of a translation: any object with ``detect``, as
            `LanguageDetector`.
    """

    into: tuple[str, ...]
    detector: Any = None

    def __post_init__(self) -> None:
        if not self.into:
            raise UserError("no language is named", where="--into", todo="Name one, such as de")
        tags = tuple(dict.fromkeys(map(normalise, self.into)))
        object.__setattr__(self, "into", tags)
        if self.detector is None:
            object.__setattr__(self, "detector", LanguageDetector())

    @property
    def identity(self) -> Mapping[str, Any]:
        """The languages and the version of the prompts."""
        return {"task": "open_ie", "prompts": VERSION, "into": list(self.into)}

    def check(self, models: int) -> None:
        """Refuse several models; see `AnnotationTask.check`.

        Raises:
            UserError: If there is more than one.
        """
        if models > 1:
            raise UserError("this task asks one model", where="--llm", todo="Name one")

    def rows(self, rows: Iterator[TextRow]) -> Iterator[TextRow]:
        """Yield each row once for each other language.

        Raises:
            UserError: If a row has no triples, or they are malformed.
        """
        for row in rows:
            text, parts = _parts(row)
            for lang in self.into:
                if lang != row.lang:
                    values = {SOURCE: row.lang, PARTS: parts}
                    name = f"{row.id}-{lang}"
                    yield replace(row, id=name, lang=lang, text=text, values=values)

    def make(self, row: TextRow, clients: Sequence[Client]) -> Made:
        """Translate, find the parts, and check; see `AnnotationTask.make`."""
        source, parts = row.values[SOURCE], row.values[PARTS]
        if not parts:
            raise RejectedError("the row has no triple")
        made = clients[0].ask(_translating(row, source), Translated, _line)
        text = " ".join(made.translation.split())
        self._check_language(text, row.text, source)
        found = [_found(row.text, text, own, source, row.lang, clients[0]) for own in parts]
        places = word_places(text)
        extractions = [_over_words(spans, places) for spans in found]
        predicates = sorted({spans[0] for spans in extractions})
        if any(a[1] > b[0] for a, b in pairwise(predicates)):
            raise RejectedError("two predicates share a word")
        return Made(
            {
                "id": row.id,
                "lang": row.lang,
                "text": text,
                "source": row.text,
                "tokens": [text[a:b] for a, b in places],
                "extractions": [[list(span) for span in spans] for spans in extractions],
                "spans": [list(span) for span in predicates],
            },
            {"triples": len(found), f"rows in {row.lang}": 1},
        )

    def _check_language(self, text: str, original: str, source: str) -> None:
        if text.casefold() == original.casefold():
            raise RejectedError("nothing was translated")
        found = self.detector.detect(text)[0]
        if str(found).split("-")[0] == source.split("-")[0]:
            raise RejectedError(f"the translation is in the language of the source: {source}")


def _parts(row: TextRow) -> tuple[str, list[Parts]]:
    """Return the sentence of a row and the words of its triples.

    Raises:
        UserError: If there are none, or they are malformed.
    """
    values, where = row.values, f"row {row.id}, line {row.number}"
    if "extractions" in values and isinstance(values.get("tokens"), list):
        tokens = [str(one) for one in values["tokens"]]
        given = values["extractions"]
        try:
            spans = [extraction(one, len(tokens), where) for one in given]
        except (RowError, TypeError) as error:
            raise UserError(str(error), where=where, todo=FORM) from None
        words = [{role: " ".join(tokens[a:b]) for a, b, role in own} for own in spans]
        return " ".join(tokens), words
    given = values.get("triples", [values["triple"]] if "triple" in values else None)
    if not isinstance(given, list) or not all(map(_is_triple, given)):
        raise UserError("this row has no triples", where=where, todo=FORM)
    roles = (ROLES[0], PREDICATE, *ROLES[1:])
    return row.text, [dict(zip(roles, own, strict=False)) for own in given]


def _is_triple(value: Any) -> bool:
    if not isinstance(value, list) or not 2 <= len(value) <= 1 + len(ROLES):
        return False
    return all(isinstance(part, str) and part.strip() for part in value)


def _found(
    source: str, text: str, parts: Parts, source_lang: str, lang: str, client: Client
) -> list[tuple[int, int, str]]:
    """Ask for the parts of one triple in the translation; return their places in characters.

    Raises:
        NoAnswerError: If a part does not stand there, twice.
    """
    roles = [PREDICATE, *(role for role in parts if role != PREDICATE)]

    def fault(value: Segments) -> str:
        return _placed(text, roles, value)[1]

    asked = _asking(source, text, parts, roles, source_lang, lang)
    return _placed(text, roles, client.ask(asked, Segments, fault))[0]


def _placed(
    text: str, roles: Sequence[str], value: Segments
) -> tuple[list[tuple[int, int, str]], str]:
    """Return places of the parts that do not overlap, or why there are none."""
    parts = [part.strip() for part in (value.predicate, *value.arguments)]
    if len(parts) != len(roles):
        return [], f"not as many arguments as asked for: {len(parts) - 1}"
    if not all(parts):
        return [], "a part of the triple is empty"
    if len(set(parts)) < len(parts):
        return [], "two parts of the triple are equal"
    places = []
    for part in parts:
        own = [place for place in occurrences(text, part) if text[slice(*place)] == part]
        if not own:
            return [], f"a part of the triple is not in the translation: {part[:60]!r}"
        places.append(own[:MANY])
    chosen = _apart(places)
    if chosen is None:
        return [], "parts of the triple overlap"
    return [(a, b, role) for (a, b), role in zip(chosen, roles, strict=True)], ""


def _apart(places: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[int, int]] | None:
    """Choose an occurrence of each part so that none overlaps another."""
    if not places:
        return []
    for first in places[0]:
        rest = [[p for p in own if p[1] <= first[0] or p[0] >= first[1]] for own in places[1:]]
        found = _apart(rest) if all(rest) else None
        if found is not None:
            return [first, *found]
    return None


def _over_words(
    spans: Sequence[tuple[int, int, str]], places: Sequence[tuple[int, int]]
) -> tuple[Span, ...]:
    """Return spans over words.

    Raises:
        RejectedError: If two parts share a word.
    """
    found, used = [], set[int]()
    for start, end, role in spans:
        words = [i for i, (a, b) in enumerate(places) if a < end and b > start]
        if not words or used & set(words):
            raise RejectedError("parts of the triple share a word")
        used |= set(words)
        found.append((words[0], words[-1] + 1, role))
    order = (PREDICATE, *ROLES)
    return tuple(sorted(found, key=lambda span: order.index(span[2])))


def _line(value: Translated) -> str:
    return "" if value.translation.strip() else "the translation is empty"


def _translating(row: TextRow, source: str) -> tuple[tuple[str, str], ...]:
    return ("system", SYSTEM), (
        "user",
        f"Translate this sentence from {display_name(source)} into {display_name(row.lang)}, close "
        f"to its words.\n\n<text>\n{row.text}\n</text>\n\n"
        'Reply with {"translation": ".."}.',
    )


def _asking(
    source: str, text: str, parts: Parts, roles: Sequence[str], source_lang: str, lang: str
) -> tuple[tuple[str, str], ...]:
    arguments = "\n".join(f"argument {i}: {parts[role]}" for i, role in enumerate(roles[1:], 1))
    return ("system", SYSTEM), (
        "user",
        f"A sentence in {display_name(source_lang)} says this:\n{source}\n\nIt has these parts:\n"
        f"predicate: {parts[PREDICATE]}\n{arguments}\n\nIts translation into {display_name(lang)} "
        f"is:\n<text>\n{text}\n</text>\n\nGive the same parts as they stand in the translation: "
        "each one contiguous, copied letter by letter, without overlap. Reply with "
        '{"predicate": "..", "arguments": ["..", ".."]}, the arguments in the order given.',
    )
