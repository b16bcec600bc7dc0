"""Pair scoring: the similarity of two texts in one row, predicted from the first token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from xadapt.backbones.encoder.pairs import Pair
from xadapt.core.errors import UserError
from xadapt.data.records import ScoredPair
from xadapt.heads.head import Head
from xadapt.objectives.contract import EncodeView, Loss, States

Scale = tuple[float, float]


@dataclass(frozen=True)
class PairScoring:
    """Squared error of a pair's score, scaled to 0 to 1.

    Both texts are in one row, joined by the base's own tokenizer. The score is a linear map of the
    first token's state.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.1 (STS-B).

    Attributes:
        lowest: The score that becomes 0, in the data's unit. Without a value, the lowest score of
            the data.
        highest: The score that becomes 1. Without a value, the highest score of the data.
    """

    lowest: float | None = None
    highest: float | None = None

    consumes: ClassVar[type] = ScoredPair
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def prepare(self, records: Sequence[ScoredPair]) -> Scale:
        """Return the scores that 0 and 1 stand for.

        Raises:
            UserError: If the scale is empty, or a score of the data is outside the scale.
        """
        return scale_of(records, self.lowest, self.highest)

    def heads(self, width: int, memory: Scale) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head("pair_scoring", ("score",), width, scale=memory)

    def views(
        self,
        records: Sequence[ScoredPair],
        memory: Scale,
        tokenize_pairs: Callable[[Sequence[str], Sequence[str]], list[Pair]],
    ) -> dict[str, Any]:
        """Build the view of the pairs, and their scores from 0 to 1."""
        rows = tokenize_pairs([r.left for r in records], [r.right for r in records])
        low, high = memory
        view = EncodeView(
            [row.ids for row in rows],
            output="states",
            langs=[r.left_lang for r in records],
            second=[row.second for row in rows],
        )
        return {"pair": view, "scores": [(r.score - low) / (high - low) for r in records]}

    def loss(self, pair: States, scores: list[float], heads: Head) -> Loss:
        """Compute the squared error of each pair: ``(n,)``."""
        found = heads(pair.hidden[:, 0])[:, 0]
        return Loss((found - torch.tensor(scores, device=found.device)).square())


def scale_of(
    records: Sequence[ScoredPair], lowest: float | None = None, highest: float | None = None
) -> Scale:
    """Return the scores that 0 and 1 stand for.

    Args:
        records: The pairs.
        lowest: The score that becomes 0; by default the lowest score of the pairs.
        highest: The score that becomes 1; by default the highest score of the pairs.

    Raises:
        UserError: If the scale is empty, or a score of the data is outside the scale.
    """
    found = [record.score for record in records]
    low = min(found) if lowest is None else lowest
    high = max(found) if highest is None else highest
    if not low < high:
        raise UserError(
            f"scores from {low:g} to {high:g} leave nothing to learn", where=records[0].origin
        )
    wrong = next((record for record in records if not low <= record.score <= high), None)
    if wrong is not None:
        raise UserError(
            f"the score {wrong.score:g} is not between {low:g} and {high:g}",
            where=wrong.origin,
            todo="Mend it, or the scale of the recipe",
        )
    return float(low), float(high)


Part = PairScoring
