"""CLISM: a hidden span of one language is pointed at in its translation, from a [QUE] token."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.data.records import Record
from xadapt.modules.hooks import BELOW, EMBEDDINGS, AdapterHook, ModelShape, ModuleOptions
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True, slots=True)
class AlignedSpans(Record):
    """Words of two translations, and a span ``(start, stop)`` of each that mean the same."""

    pivot: tuple[str, ...]
    text: tuple[str, ...]
    pivot_span: tuple[int, int]
    text_span: tuple[int, int]


class NewRow(nn.Module):
    """The vector of the first id beyond the vocabulary: ``(batch, tokens)`` to states."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.vocabulary, self.row = vocabulary, nn.Parameter(torch.zeros(width))

    def forward(self, ids: Tensor) -> Tensor:
        return (ids == self.vocabulary).unsqueeze(-1) * self.row


class Question(nn.Module):
    """The row of [QUE]; a real module would be a LoRA with this row beside it."""

    kind: ClassVar[str] = "question_row"
    Options: ClassVar[type[ModuleOptions]] = ModuleOptions

    def __init__(self, options: ModuleOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options, self.que = options, NewRow(model_shape.vocabulary, model_shape.width)

    def hooks(self) -> list[AdapterHook]:
        """One, at the word embeddings, which knows tokens by their ids."""
        return [AdapterHook(BELOW, EMBEDDINGS, 0, "ids", self.que)]


@dataclass(frozen=True)
class Clism:
    """Cross-entropies of the start and the end of the answer, over all real positions.

    Source: Huang et al. 2022, "CLISM", https://arxiv.org/abs/2204.05210, section 3.1.
    """

    consumes: ClassVar[type] = AlignedSpans
    source: ClassVar[str] = "https://arxiv.org/abs/2204.05210"
    coupled: ClassVar[bool] = False

    def heads(self, width: int) -> nn.Module:
        """The pointers W_s and W_e, to be saved beside the module as its reusable QA head."""
        return nn.ModuleDict({side: nn.Linear(width, width, bias=False) for side in "se"})

    def views(
        self,
        records: Sequence[AlignedSpans],
        rng: random.Random,
        tokenizer: Any,
        vocabulary: int,
    ) -> dict[str, Any]:
        """``[CLS] pivot with [QUE] [SEP] text [SEP]``, where [QUE] is and where the answer."""
        rows, que, gold = [], [], []
        cls, sep = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
        for r in records:
            pivot, text = (
                [tokenizer.encode(w, add_special_tokens=False) for w in side]
                for side in (r.pivot, r.text)
            )
            start, stop = r.pivot_span
            head = [*cls, *chain(*pivot[:start])]
            before = [*head, vocabulary, *chain(*pivot[stop:]), *sep]
            first, last = (sum(map(len, text[:at]), len(before)) for at in r.text_span)
            rows.append([*before, *chain(*text), *sep])
            que.append(len(head))
            gold.append((first, last - 1))
        return {"joint": EncodeView(rows, output="states"), "que": que, "gold": gold}

    def loss(
        self, joint: States, que: list[int], gold: list[tuple[int, int]], heads: nn.Module
    ) -> Loss:
        """Sum of both cross-entropies: ``(n,)``."""
        hidden, rows = joint.hidden.float(), torch.arange(len(que))
        asked, target = hidden[rows, que], torch.tensor(gold, device=hidden.device)
        total = hidden.new_zeros(len(que))
        for side, answers in zip(heads.values(), target.T, strict=True):
            scores = (hidden @ side(asked).unsqueeze(-1)).squeeze(-1)
            scores = scores.masked_fill(joint.mask == 0, -torch.inf)
            total = total + F.cross_entropy(scores, answers, reduction="none")
        return Loss(total)
