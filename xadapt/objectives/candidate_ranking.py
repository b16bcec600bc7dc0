"""Candidate ranking: the right candidate of a mention, or none, among all of its candidates."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.backbones.encoder.pairs import Pair
from xadapt.data.records import CandidateList
from xadapt.heads.head import RANKING, Head
from xadapt.objectives.contract import EncodeView, Loss, States, draws

NONE = ""
"""The names of the candidate that stands for no concept."""


@dataclass(frozen=True)
class CandidateRanking:
    """Cross-entropy over the candidates of a mention and "none", near to the scores of the search.

    Each candidate is read in one row with the mention, by the base's own tokenizer. A linear map of
    the first token's state gives it a score ``z``. One more candidate without a name stands for
    "none". With the right candidate ``y`` and the scores ``s`` of the search that found them,

        L = - log softmax(z)_y + rank_weight * |z - s|

    where ``|.|`` is the Euclidean length over the candidates, without "none". Nothing in a row
    names a language, so that the module is used for languages that it was not trained on.

    Source: Borchert et al. 2023 (xMEN), https://arxiv.org/abs/2310.11275, section 3 (re-ranking).
    In the authors' code "none" takes the place of the last candidate, which may be the right one,
    and the score it is held to is its own label. Here it is one candidate more without such a
    score. The authors' "none" is learnt from mentions whose concept the search missed; here also
    from mentions whose right candidate is taken away.

    Attributes:
        rank_weight: Weight of the distance to the scores of the search.
        none_rate: Share of mentions whose right candidate is taken away, so that none is right.
    """

    rank_weight: float = 1.0
    none_rate: float = 0.1

    consumes: ClassVar[type] = CandidateList
    source: ClassVar[str] = "https://arxiv.org/abs/2310.11275"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.rank_weight < 0:
            raise ValueError("rank_weight must not be negative")
        if not 0 <= self.none_rate < 1:
            raise ValueError("none_rate must be in [0, 1)")

    def heads(self, width: int) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head(RANKING, ("score",), width)

    def views(
        self,
        records: Sequence[CandidateList],
        rng: random.Random,
        tokenize_pairs: Callable[[Sequence[str], Sequence[str]], list[Pair]],
    ) -> dict[str, Any]:
        """Build the view of all mentions with all candidates, "none" last."""
        lists = [self._drawn(r, own) for r, own in zip(records, draws(rng, records), strict=True)]
        names = [[*(record.candidates[i] for i in kept), NONE] for record, kept in lists]
        lefts = [r.text for (r, _), own in zip(lists, names, strict=True) for _ in own]
        rows = tokenize_pairs(lefts, [name for own in names for name in own])
        view = EncodeView(
            [row.ids for row in rows],
            output="states",
            langs=[r.lang for (r, _), own in zip(lists, names, strict=True) for _ in own],
            second=[row.second for row in rows],
        )
        return {
            "pair": view,
            "found": [[record.scores[i] for i in kept] for record, kept in lists],
            "right": [
                kept.index(record.correct) if record.correct in kept else len(kept)
                for record, kept in lists
            ],
        }

    def _drawn(self, record: CandidateList, rng: random.Random) -> tuple[CandidateList, list[int]]:
        """Return the positions of the candidates that are read."""
        every = list(range(len(record.candidates)))
        without = [i for i in every if i != record.correct]
        taken = bool(without) and rng.random() < self.none_rate
        return record, without if taken else every

    def loss(self, pair: States, found: list[list[float]], right: list[int], heads: Head) -> Loss:
        """Compute the loss of each mention: ``(n,)``.

        Args:
            pair: The states of mentions with candidates, mention by mention.
            found: The scores of the search, for each candidate but "none".
            right: The position of the right candidate; the last position is "none".
            heads: The head.
        """
        every = heads(pair.hidden[:, 0])[:, 0].split([len(own) + 1 for own in found])
        device = pair.hidden.device
        choices = [
            F.cross_entropy(own[None], torch.tensor([place], device=device))
            for own, place in zip(every, right, strict=True)
        ]
        apart = [distance(z[:-1], s) for z, s in zip(every, found, strict=True)]
        return Loss(torch.stack(choices) + self.rank_weight * torch.stack(apart))


def distance(scores: Tensor, found: Sequence[float]) -> Tensor:
    """Compute the Euclidean distance of scores ``(candidates,)`` to those of the search: ``()``."""
    other = torch.tensor(found, device=scores.device, dtype=scores.dtype)
    length: Tensor = torch.linalg.vector_norm(scores - other)
    return length


Part = CandidateRanking
