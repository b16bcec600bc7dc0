"""Annotate named entities of open types: rating, annotation, grounding, merging, native labels.

A model rates each passage for how useful it is to learn named entities from, and poor ones are
left out. Each model then lists the entities of the passage. A mention counts if it stands in the
text; the spans of all models are merged. The labels may be translated into the passage's language.

Source: FiNERweb, https://arxiv.org/abs/2512.13884, sections on rating and annotation. The prompts
are our own, since the authors' are not public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from xadapt.core.errors import UserError
from xadapt.functional.grounding import MergedSpan, ground, merge_spans, word_places
from xadapt.integrations.language_models.client import Client, NoAnswerError, OutOfReachError
from xadapt.integrations.language_models.protocol import UnansweredError
from xadapt.languages.tags import display_name
from xadapt.pipelines.annotate import Made, RejectedError
from xadapt.pipelines.text_rows import TextRow

SYSTEM = (
    "You prepare data for named entity recognition. You reply with one JSON object and nothing "
    "else."
)
LONGEST_LABEL = 60
GROUNDED = 0.5
"""The least share of an annotator's mentions that must stand in the text."""
VERSION = 1
"""Changes with the prompts, so that unfinished rows of other prompts are not mixed in."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Rating(_Strict):
    """How useful a passage is to learn named entities from."""

    rating: int = Field(ge=1, le=4)


class Mention(_Strict):
    """A mention and its type."""

    text: str = Field(min_length=1)
    type: str = Field(min_length=1)


class Mentions(_Strict):
    """The mentions of a passage, in their order."""

    entities: list[Mention]


class LabelName(_Strict):
    """The name of a type in another language."""

    name: str = Field(min_length=1)


@dataclass(frozen=True)
class Entities:
    """The task ``entities`` of ``annotate``.

    The first model rates passages and translates labels; all models annotate.

    Attributes:
        least_rating: Passages with a lower rating, from 1 to 4, are left out; 1 asks for no rating.
        agree: Models that must have found a span.
        native_labels: Whether labels are also given in the passage's language.
    """

    least_rating: int = 3
    agree: int = 1
    native_labels: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.least_rating <= 4:
            raise UserError("a rating is from 1 to 4", where="--least-rating")
        if self.agree < 1:
            raise UserError("this is at least 1", where="--agree")

    @property
    def identity(self) -> Mapping[str, Any]:
        """The options and the version of the prompts."""
        return {"task": "entities", "prompts": VERSION, **asdict(self)}

    def check(self, models: int) -> None:
        """Refuse more models that agree than there are; see `AnnotationTask.check`.

        Raises:
            UserError: If there are too few.
        """
        if self.agree > models:
            raise UserError(f"{self.agree} of {models} models can't agree", where="--agree")

    def rows(self, rows: Iterator[TextRow]) -> Iterator[TextRow]:
        """Return the rows as they are."""
        return rows

    def make(self, row: TextRow, clients: Sequence[Client]) -> Made:
        """Rate, annotate and merge; see `AnnotationTask.make`."""
        rating = None
        if self.least_rating > 1:
            rating = clients[0].ask(rating_question(row), Rating, max_tokens=64).rating
            if rating < self.least_rating:
                raise RejectedError(f"the rating is too low: {rating}, below {self.least_rating}")
        found, missing = [], 0
        waiting = None
        for client in clients:
            try:
                spans, lost = _grounded(row, client)
            except UnansweredError as error:  # all questions of a stage go to the file together
                waiting = error
                continue
            found.append(spans)
            missing += lost
        if waiting is not None:
            raise waiting
        merged = merge_spans(row.text, found, least=self.agree)
        native = self._native(row, merged, clients[0]) if self.native_labels else {}
        counts = {"spans": len(merged), "mentions not in the text": missing}
        if len(clients) > 1:
            counts["spans of several models"] = sum(span.votes > 1 for span in merged)
        if self.native_labels:
            counts["labels without a translation"] = sum(s.label not in native for s in merged)
        return Made(_row(row, merged, rating, native), counts, [span.label for span in merged])

    def _native(self, row: TextRow, merged: Sequence[MergedSpan], client: Client) -> dict[str, str]:
        """Return the labels in the language of the row. Each label is asked for once a language."""
        if row.lang.split("-")[0] == "en":
            return {span.label: span.label for span in merged}
        found = {}
        waiting = None
        for label in dict.fromkeys(span.label for span in merged):
            try:
                name = client.ask(_naming(label, row.lang), LabelName, max_tokens=64).name
            except OutOfReachError:
                raise
            except UnansweredError as error:
                waiting = error
                continue
            except NoAnswerError:
                continue  # the row is good without it, and the count tells
            found[label] = " ".join(name.split())[:LONGEST_LABEL]
        if waiting is not None:
            raise waiting
        return found


def _grounded(row: TextRow, client: Client) -> tuple[list[tuple[int, int, str]], int]:
    """Ask one model for the entities; return their spans and the number of mentions not found.

    Raises:
        NoAnswerError: If less than half of the mentions stand in the text, twice.
    """

    def spans_of(value: Mentions) -> tuple[list[tuple[int, int, str]], int]:
        return ground(row.text, [(one.text, _label(one.type)) for one in value.entities])

    def fault(value: Mentions) -> str:
        labels = [_label(one.type) for one in value.entities]
        if not all(label.isprintable() and 0 < len(label) <= LONGEST_LABEL for label in labels):
            return f"a type is empty, or longer than {LONGEST_LABEL} characters"
        spans, missing = spans_of(value)
        if missing and len(spans) < GROUNDED * (len(spans) + missing):
            return "most mentions are not in the passage: copy them exactly"
        return ""

    return spans_of(client.ask(_listing(row), Mentions, fault))


def _label(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())


def _row(
    row: TextRow, merged: Sequence[MergedSpan], rating: int | None, native: Mapping[str, str]
) -> dict[str, Any]:
    """Return the row to write: spans over words, as readers take them, and over characters."""
    made: dict[str, Any] = {"id": row.id, "lang": row.lang, "text": row.text}
    made["tokens"] = [row.text[a:b] for a, b in word_places(row.text)]
    made["spans"] = [[s.first_word, s.end_word, s.label.replace(" ", "_")] for s in merged]
    made["char_spans"] = [
        {
            "start": s.start,
            "end": s.end,
            "label": s.label,
            **({"native": native[s.label]} if s.label in native else {}),
            **({"others": list(s.others)} if s.others else {}),
            "votes": s.votes,
        }
        for s in merged
    ]
    return made if rating is None else {**made, "rating": rating}


def _passage(row: TextRow) -> str:
    return f"Passage in {display_name(row.lang)}:\n<passage>\n{row.text}\n</passage>"


def rating_question(row: TextRow) -> tuple[tuple[str, str], ...]:
    """Return the question how useful a passage is, from 1 to 4."""
    return ("system", SYSTEM), (
        "user",
        "How useful is this passage to learn from where named entities are? 1: no entity, or no "
        "readable text. 2: few entities, all of one kind. 3: several entities of two kinds or "
        "more. 4: many entities of different kinds in clear sentences.\n\n"
        f'{_passage(row)}\n\nReply with {{"rating": NUMBER}}.',
    )


def _listing(row: TextRow) -> tuple[tuple[str, str], ...]:
    return ("system", SYSTEM), (
        "user",
        "List every named entity of this passage, in the order in which they stand there. Copy "
        "each one letter by letter from the passage. List it again where it stands again. Give "
        "each a short English type in lower case, as fine as the passage allows: person, city, "
        "sports team, law, date and so on. Without entities, the list is empty.\n\n"
        f'{_passage(row)}\n\nReply with {{"entities": [{{"text": "..", "type": ".."}}]}}.',
    )


def _naming(label: str, lang: str) -> tuple[tuple[str, str], ...]:
    return ("system", SYSTEM), (
        "user",
        f"What is the entity type {label!r} called in {display_name(lang)}, as a short label in "
        'lower case? Reply with {"name": ".."}.',
    )
