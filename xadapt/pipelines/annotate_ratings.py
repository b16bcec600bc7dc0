"""Annotate ratings: how useful each passage is to learn named entities from, and nothing more.

The rows train the recipe ``passage_filter``, which then rates far more passages than a language
model can. Unlike the task ``entities``, no passage is left out for its rating.

Source: FiNERweb, https://arxiv.org/abs/2512.13884, section on rating: 1,000 passages of each
language are rated from 1 to 4. The prompt is our own, since the authors' is not public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.client import Client
from xadapt.pipelines.annotate import Made
from xadapt.pipelines.annotate_entities import VERSION, Rating, rating_question
from xadapt.pipelines.text_rows import TextRow


@dataclass(frozen=True)
class Ratings:
    """The task ``ratings`` of ``annotate``: one model rates each passage from 1 to 4."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """The version of the prompt."""
        return {"task": "ratings", "prompts": VERSION}

    def check(self, models: int) -> None:
        """Refuse several models; see `AnnotationTask.check`.

        Raises:
            UserError: If there is more than one.
        """
        if models > 1:
            raise UserError("this task asks one model", where="--llm", todo="Name one")

    def rows(self, rows: Iterator[TextRow]) -> Iterator[TextRow]:
        """Return the rows as they are."""
        return rows

    def make(self, row: TextRow, clients: Sequence[Client]) -> Made:
        """Ask for the rating; see `AnnotationTask.make`."""
        rating = clients[0].ask(rating_question(row), Rating, max_tokens=64).rating
        made = {"id": row.id, "lang": row.lang, "text": row.text, "rating": rating}
        return Made(made, {}, [str(rating)])
