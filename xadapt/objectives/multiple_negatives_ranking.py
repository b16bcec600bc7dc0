"""Multiple negatives ranking: a query's positive must rank above the other texts of the batch."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from xadapt.backbones.encoder.prompts import prefixed
from xadapt.core.text_key import normal_key
from xadapt.data.records import TextPair
from xadapt.functional.losses import info_nce, over_dimensions
from xadapt.objectives.contract import EncodeView, Loss
from xadapt.objectives.translation_ranking import in_batch


@dataclass(frozen=True)
class Memory:
    """The known positives in the whole data, by normalised text.

    Attributes:
        known: Map from an anchor to all its positives, and to itself.
        owners: Map from a positive to all its anchors, and to itself.
    """

    known: dict[str, set[str]]
    owners: dict[str, set[str]]


@dataclass(frozen=True)
class MultipleNegativesRanking:
    """InfoNCE over the vectors of one language, by cosine over a temperature.

    The candidates of an anchor are the positives and the hard negatives of the whole batch. Both
    sides go through the module. Texts that are known as positives of the anchor anywhere in the
    data, and texts equal to the anchor, are never its negatives.

    Source: Henderson et al. 2017, https://arxiv.org/abs/1705.00652, section 4.4;
    ``MultipleNegativesRankingLoss`` of sentence-transformers.

    Attributes:
        temperature: Cosines are divided by it; 0.05 is the "scale 20" of sentence-transformers.
        directions: ``forward`` ranks positives for an anchor; ``both`` also ranks the anchors of
            the batch for a positive.
    """

    temperature: float = 0.05
    directions: Literal["forward", "both"] = "forward"

    consumes: ClassVar[type] = TextPair
    source: ClassVar[str] = "https://arxiv.org/abs/1705.00652"
    coupled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def prepare(self, records: Sequence[TextPair]) -> Memory:
        """Record every known positive."""
        memory = Memory({}, {})
        for record in records:
            anchor, positive = normal_key(record.anchor), normal_key(record.positive)
            memory.known.setdefault(anchor, {anchor}).add(positive)
            memory.owners.setdefault(positive, {positive}).add(anchor)
        return memory

    def views(
        self, records: Sequence[TextPair], rng: random.Random, prompts: Mapping[str, str]
    ) -> dict[str, Any]:
        """Build views of anchors, positives and all hard negatives, each with its prompt."""
        langs = [r.lang for r in records]
        anchors, positives = [r.anchor for r in records], [r.positive for r in records]
        negatives = [text for r in records for text in r.negatives]
        views: dict[str, Any] = {
            "anchor": EncodeView(prefixed(prompts, "query", anchors), langs=langs),
            "positive": EncodeView(prefixed(prompts, "passage", positives), langs=langs),
            "anchor_keys": list(map(normal_key, anchors)),
            "candidate_keys": list(map(normal_key, [*positives, *negatives])),
        }
        if negatives:
            own = [r.lang for r in records for _ in r.negatives]
            views["negative"] = EncodeView(prefixed(prompts, "passage", negatives), langs=own)
        return views

    def loss(
        self,
        anchor: Tensor,
        positive: Tensor,
        anchor_keys: list[str],
        candidate_keys: list[str],
        memory: Memory,
        negative: Tensor | None = None,
        dimensions: Sequence[int] = (),
    ) -> Loss:
        """Rank ``positive (n, dim)`` and ``negative (m, dim)`` for each anchor: ``(n,)``."""
        n, device = len(anchor), anchor.device
        own = torch.arange(n, device=device)
        rank = partial(info_nce, targets=own, temperature=self.temperature)
        keys = positive if negative is None else torch.cat([positive, negative])
        known = in_batch([memory.known[key] for key in anchor_keys], candidate_keys, device)
        parts = [over_dimensions(partial(rank, hidden=known), dimensions, anchor, keys)]
        if self.directions == "both":
            owners = [memory.owners[key] for key in candidate_keys[:n]]
            known = in_batch(owners, anchor_keys, device)
            parts.append(over_dimensions(partial(rank, hidden=known), dimensions, positive, anchor))
        return Loss(torch.stack(parts).mean(0))


Part = MultipleNegativesRanking
