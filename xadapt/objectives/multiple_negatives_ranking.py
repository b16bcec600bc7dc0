"""Multiple negatives ranking: a query's positive must rank above the other texts of the batch."""

from __future__ import annotations

import random
import re
import unicodedata
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
    data, and texts equal to the anchor, are never its negatives. Nor are positives of the same
    ``row`` (a translation of the pair), and passages that contain one of the anchor's ``answers``.

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
        related = _related(records, [*positives, *negatives])
        if related:
            views["related"] = related
        return views

    def loss(
        self,
        anchor: Tensor,
        positive: Tensor,
        anchor_keys: list[str],
        candidate_keys: list[str],
        memory: Memory,
        negative: Tensor | None = None,
        related: Sequence[tuple[int, int]] = (),
        dimensions: Sequence[int] = (),
    ) -> Loss:
        """Rank ``positive (n, dim)`` and ``negative (m, dim)`` for each anchor: ``(n,)``.

        ``related`` are pairs of an anchor and a candidate that is not its negative.
        """
        n, device = len(anchor), anchor.device
        own = torch.arange(n, device=device)
        rank = partial(info_nce, targets=own, temperature=self.temperature)
        keys = positive if negative is None else torch.cat([positive, negative])
        known = in_batch([memory.known[key] for key in anchor_keys], candidate_keys, device)
        known = _with(known, related)
        parts = [over_dimensions(partial(rank, hidden=known), dimensions, anchor, keys)]
        if self.directions == "both":
            owners = [memory.owners[key] for key in candidate_keys[:n]]
            known = in_batch(owners, anchor_keys, device)
            known = _with(known, [(place, row) for row, place in related if place < n])
            parts.append(over_dimensions(partial(rank, hidden=known), dimensions, positive, anchor))
        return Loss(torch.stack(parts).mean(0))


def _related(records: Sequence[TextPair], candidates: Sequence[str]) -> list[tuple[int, int]]:
    """Find the candidates that are no negatives of an anchor by its row or its answers."""
    found: list[tuple[int, int]] = []
    folded: list[str] = []
    by_row: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        if record.row:
            by_row.setdefault(record.row, []).append(place)
    for row, record in enumerate(records):
        places = set(by_row.get(record.row, ()))
        if record.answers:
            folded = folded or [_folded(text) for text in candidates]
            says = _says_one_of(record.answers)
            places |= {place for place, text in enumerate(folded) if says.search(text)}
        found += [(row, place) for place in sorted(places - {row})]
    return found


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _says_one_of(answers: Sequence[str]) -> re.Pattern[str]:
    """Match an answer that is no part of a longer word or number in Latin letters."""
    wanted = "|".join(re.escape(_folded(answer.strip())) for answer in answers if answer.strip())
    return re.compile(f"(?<![a-z0-9])(?:{wanted})(?![a-z0-9])" if wanted else r"(?!)")


def _with(known: tuple[Tensor, Tensor], more: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Add pairs of rows and columns."""
    if not more:
        return known
    added = torch.tensor(more, device=known[0].device).T
    return torch.cat([known[0], added[0]]), torch.cat([known[1], added[1]])


Part = MultipleNegativesRanking
