"""Teacher distillation: vectors with the module learn those of another, frozen model."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from xadapt.backbones.encoder.prompts import prefixed
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, PlainText, Record, TextPair
from xadapt.functional.losses import cosine_distance
from xadapt.objectives.contract import EncodeView, Loss

Vectors = Callable[[Sequence[str], str], Tensor]


class Lesson(NamedTuple):
    """One text of a record with the text by which the teacher teaches it.

    Attributes:
        side: ``query``, ``passage``, or empty: the prompts of both models are those of the side.
        text: The text that goes through the module.
        taught: The text that goes through the teacher.
        lang: Language of the text.
    """

    side: str
    text: str
    taught: str
    lang: str


@dataclass(frozen=True)
class TeacherDistillation:
    """Cosine distance to the vector of the recipe's ``teacher``, another model.

    A line of text learns the teacher's vector of that text; a pair of one language does so on both
    sides. The text of a translation pair learns the teacher's vector of the pivot, so a teacher of
    one language is enough. The teacher's vectors are turned into the space of the base by the map
    with orthonormal rows or columns that fits the base's own vectors of these texts best, so the
    widths of the two models may differ.

    Source: Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813, equation 1; the map is the
    orthogonal Procrustes solution, Schönemann 1966.
    """

    consumes: ClassVar[type] = Record
    source: ClassVar[str] = "https://arxiv.org/abs/2004.09813"
    coupled: ClassVar[bool] = False

    def prepare(self, records: Sequence[Record]) -> None:
        """Refuse records that have no text to learn.

        Raises:
            UserError: If the records are neither lines of text nor pairs.
        """
        lessons(records[0])

    def teacher_rows(self, records: Sequence[Record]) -> Mapping[str, list[str]]:
        """Return the texts that the teacher encodes, by their side, each once."""
        found: dict[str, dict[str, None]] = {}
        for record in records:
            for lesson in lessons(record):
                found.setdefault(lesson.side, {})[lesson.taught] = None
        return {side: list(texts) for side, texts in found.items()}

    def views(
        self, records: Sequence[Record], rng: random.Random, prompts: Mapping[str, str]
    ) -> dict[str, Any]:
        """Build views of the texts that go through the module, and list the teacher's texts."""
        rows = [lessons(record) for record in records]
        views: dict[str, Any] = {"taught": []}
        for name, column in zip(("student", "passage"), zip(*rows, strict=True), strict=False):
            side = column[0].side
            texts = prefixed(prompts, side, [one.text for one in column])
            views[name] = EncodeView(texts, langs=[one.lang for one in column])
            views["taught"].append((side, [one.taught for one in column]))
        return views

    def loss(
        self,
        student: Tensor,
        taught: list[tuple[str, list[str]]],
        teacher_vectors: Vectors,
        passage: Tensor | None = None,
    ) -> Loss:
        """Compute the distances of ``student (n, dim)``, and of ``passage (n, dim)``: ``(n,)``."""
        own = [student] if passage is None else [student, passage]
        parts = [
            cosine_distance(vectors, teacher_vectors(texts, side))
            for vectors, (side, texts) in zip(own, taught, strict=True)
        ]
        return Loss(torch.stack(parts).mean(0))


def lessons(record: Record) -> tuple[Lesson, ...]:
    """Return what a record teaches.

    Raises:
        UserError: If the record is neither a line of text nor a pair.
    """
    if isinstance(record, PlainText):
        return (Lesson("", record.text, record.text, record.lang),)
    if isinstance(record, ParallelPair):
        return (Lesson("", record.text, record.pivot, record.lang),)
    if isinstance(record, TextPair):
        sides = (("query", record.anchor), ("passage", record.positive))
        return tuple(Lesson(side, text, text, record.lang) for side, text in sides)
    raise UserError(
        f"a teacher teaches lines of text and pairs, and the data holds {type(record).__name__}",
        where=record.origin,
        todo="Read it with plain_text, parallel or text_pairs",
    )


Part = TeacherDistillation
