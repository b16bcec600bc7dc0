"""Text rating: a text's rating on a scale, predicted from its first token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from xadapt.core.errors import UserError
from xadapt.data.records import RatedText
from xadapt.heads.head import RATING, Head
from xadapt.objectives.contract import EncodeView, Loss, States

ALONE = ("rating",)


@dataclass(frozen=True)
class Memory:
    """The ratings of the data.

    Attributes:
        scale: The ratings that 0 and 1 stand for.
        classes: All ratings as the data write them, ascending.
    """

    scale: tuple[float, float]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class TextRating:
    """A text's rating: squared error of a number, or cross-entropy of the ratings as classes.

    The score is a linear map of the first token's state. The rating is scaled to 0 to 1. With
    ``classes`` every rating of the data is a class, and the predicted rating is the expected one.

    Source: the filter of FiNERweb, Golde et al. 2025, https://arxiv.org/abs/2512.13884: an encoder
    with a regression head learns a language model's ratings of passages, from 1 to 4.

    Attributes:
        classes: Whether the ratings are classes.
        lowest: The rating that becomes 0; without a value, the lowest one of the data.
        highest: The rating that becomes 1; without a value, the highest one of the data.
    """

    classes: bool = False
    lowest: float | None = None
    highest: float | None = None

    consumes: ClassVar[type] = RatedText
    source: ClassVar[str] = "https://arxiv.org/abs/2512.13884"
    coupled: ClassVar[bool] = False

    def prepare(self, records: Sequence[RatedText]) -> Memory:
        """Return the scale and the ratings of the data.

        Raises:
            UserError: If a rating is no number or outside the scale, or all are equal.
        """
        values = {record.label: number_of(record) for record in records}
        low = min(values.values()) if self.lowest is None else self.lowest
        high = max(values.values()) if self.highest is None else self.highest
        if len(set(values.values())) < 2 or not low < high:
            raise UserError(
                f"ratings from {low:g} to {high:g} leave nothing to learn",
                where=records[0].origin,
            )
        for record in records:
            if not low <= values[record.label] <= high:
                raise UserError(
                    f"the rating {record.label} is not between {low:g} and {high:g}",
                    where=record.origin,
                    todo="Mend it, or the scale of the recipe",
                )
        found = tuple(f"{value:g}" for value in sorted(set(values.values())))
        if self.classes and len(found) > 20:
            raise UserError(
                f"{len(found)} different ratings are no classes",
                where=records[0].origin,
                todo="Leave out objectives.0.classes",
            )
        return Memory((float(low), float(high)), found)

    def heads(self, width: int, memory: Memory) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head(RATING, memory.classes if self.classes else ALONE, width, scale=memory.scale)

    def views(self, records: Sequence[RatedText], memory: Memory) -> dict[str, Any]:
        """Build the view of the texts, and their ratings: numbers of classes, or from 0 to 1."""
        langs = [record.lang for record in records]
        view = EncodeView([record.text for record in records], output="states", langs=langs)
        values = [number_of(record) for record in records]
        if self.classes:
            return {"text": view, "ratings": [memory.classes.index(f"{v:g}") for v in values]}
        low, high = memory.scale
        return {"text": view, "ratings": [(value - low) / (high - low) for value in values]}

    def loss(self, text: States, ratings: list[float], heads: Head) -> Loss:
        """Compute the loss of each text: ``(n,)``."""
        scores = heads(text.hidden[:, 0])
        wanted = torch.tensor(ratings, device=scores.device)
        if self.classes:
            return Loss(F.cross_entropy(scores, wanted, reduction="none"))
        return Loss((scores[:, 0] - wanted).square())


def number_of(record: RatedText) -> float:
    """Return the rating of a text.

    Raises:
        UserError: If it is no finite number.
    """
    try:
        found = float(record.label)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise UserError(
            f"the rating {record.label[:40]!r} is no number",
            where=record.origin,
            todo='Give rows of text and rating: {"text": "..", "rating": 3}',
        )
    return found


Part = TextRating
