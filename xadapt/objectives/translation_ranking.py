"""Translation ranking: a sentence's own translation must rank above all others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from xadapt.core.text_key import normal_key
from xadapt.data.records import ParallelPair
from xadapt.functional.losses import info_nce
from xadapt.objectives.contract import Bank, EncodeView, Loss


@dataclass(frozen=True)
class Memory:
    """The known translations in the whole data.

    Attributes:
        texts: One pivot text for each distinct pivot, the rows of the bank.
        row: Map from a pivot key to the pivot's row.
        known: Map from a text key to the rows of all known translations of the text.
        owners: Map from a pivot row to the keys of the texts that the pivot translates.
    """

    texts: list[str]
    row: dict[str, int]
    known: dict[str, set[int]]
    owners: dict[int, set[str]]


@dataclass(frozen=True)
class TranslationRanking:
    """InfoNCE over sentence vectors, by cosine over a temperature.

    Texts that are equal after normalisation, and pivots known as translations of the same
    text anywhere in the data, are never each other's negatives.

    Source: Guo et al. 2018, https://arxiv.org/abs/1807.11906, section 3; the form and the
    temperature as in DAP, https://arxiv.org/abs/2305.09148, section 3.1.

    Attributes:
        temperature: Cosines are divided by it, so a small one is strict.
        directions: ``forward`` ranks pivots for a text, ``backward`` texts for a pivot.
        negatives: ``batch``, or ``bank``: the forward direction uses every pivot of the data,
            exactly. The backward direction stays in the batch. ``bank`` needs ``pivot: frozen``.
        pivot: ``frozen`` keeps the pivot side without the module, ``active`` trains both.
    """

    temperature: float = 0.05
    directions: Literal["forward", "backward", "both"] = "forward"
    negatives: Literal["batch", "bank"] = "bank"
    pivot: Literal["frozen", "active"] = "frozen"

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/2305.09148"
    coupled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if self.negatives == "bank" and self.pivot == "active":
            raise ValueError("negatives: bank needs pivot: frozen (a moving side has no bank)")

    def bank_rows(self, memory: Memory) -> list[str] | None:
        """Return every distinct pivot of the data, if ``negatives`` is ``bank``."""
        return memory.texts if self.negatives == "bank" else None

    def prepare(self, records: Sequence[ParallelPair]) -> Memory:
        """Return number the distinct pivots and record every known translation."""
        memory = Memory([], {}, {}, {})
        for record in records:
            key = normal_key(record.pivot)
            row = memory.row.setdefault(key, len(memory.row))
            if row == len(memory.texts):
                memory.texts.append(record.pivot)
            text = normal_key(record.text)
            memory.known.setdefault(text, set()).add(row)
            memory.owners.setdefault(row, set()).add(text)
        return memory

    def views(
        self, records: Sequence[ParallelPair], rng: random.Random, memory: Memory
    ) -> dict[str, Any]:
        """Build views of the texts with the module, and of the pivots with or without it."""
        texts, pivots = [r.text for r in records], [r.pivot for r in records]
        here, there = [r.lang for r in records], [r.pivot_lang for r in records]
        return {
            "text": EncodeView(texts, langs=here),
            "pivot": EncodeView(pivots, module=self.pivot == "active", langs=there),
            "text_keys": [normal_key(r.text) for r in records],
            "rows": [memory.row[normal_key(r.pivot)] for r in records],
        }

    def loss(
        self,
        text: Tensor,
        pivot: Tensor,
        text_keys: list[str],
        rows: list[int],
        memory: Memory,
        bank: Bank | None = None,
    ) -> Loss:
        """Compute losses of ``text (n, dim)`` against ``pivot (n, dim)`` or the bank: ``(n,)``."""
        own = torch.arange(len(text), device=text.device)
        parts = []
        if self.directions != "backward" and bank is not None:
            hidden = _pairs([memory.known[key] for key in text_keys], text.device)
            target = torch.tensor(rows, device=text.device)
            parts.append(
                info_nce(text, bank.vectors, target, self.temperature, hidden, unit_keys=True)
            )
        elif self.directions != "backward":
            hidden = in_batch([memory.known[key] for key in text_keys], rows, text.device)
            parts.append(info_nce(text, pivot, own, self.temperature, hidden))
        if self.directions != "forward":
            hidden = in_batch([memory.owners[row] for row in rows], text_keys, text.device)
            parts.append(info_nce(pivot, text, own, self.temperature, hidden))
        return Loss(torch.stack(parts).mean(0))


def _pairs(columns: Sequence[set[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    pairs = [(i, c) for i, known in enumerate(columns) for c in known]
    rows, cols = zip(*pairs, strict=True) if pairs else ((), ())
    return torch.tensor(rows, device=device).long(), torch.tensor(cols, device=device).long()


def in_batch(
    known: Sequence[set[Any]], candidates: Sequence[Any], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Find the candidates of a batch that are known positives.

    Args:
        known: For each row, the keys of its known positives.
        candidates: The key of each candidate.
        device: Device of the result.

    Returns:
        Rows and columns of the known positives, each ``(pairs,)``.
    """
    places: dict[Any, list[int]] = {}
    for place, key in enumerate(candidates):
        places.setdefault(key, []).append(place)
    columns = [{j for key in keys & places.keys() for j in places[key]} for keys in known]
    return _pairs(columns, device)


Part = TranslationRanking
