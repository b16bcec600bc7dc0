"""CLISM and CACR: hidden spans are found in the translation, and representations agree."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.backbones.encoder.question_rows import HiddenRow, Span, Template, hidden_row
from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.records import AlignedSpans
from xadapt.functional.losses import info_nce, segment_means, token_cross_entropy
from xadapt.heads.pointer_head import PointerHead
from xadapt.objectives.contract import EncodeView, Loss, States, draws
from xadapt.objectives.masking import Masking


@dataclass(frozen=True)
class ClismCacr:
    """The sum of three terms over a sentence, with spans hidden, and its translation in one row.

    *CLISM*: each hidden span is one token [QUE] of the module's own. From its state ``x_q`` the
    head points to the counterpart in the translation: ``P(first = k) = softmax_k(x_k . W_s x_q)``
    and ``P(last = k)`` with ``W_e``, over all real tokens of the row. The loss is the sum of both
    cross-entropies, its mean over the spans of a pair.

    *CACR*: with ``r^`` and ``rt`` the means of the two segments of that row, and ``rs`` the mean of
    the sentence alone, not hidden, ``L(rt, r^) + L(rs, r^) + L(rt, rs)``, where ``L(a, b) = -log
    (exp(cos(a, b) / t) / sum_j exp(cos(a, b_j) / t))`` over the pairs of the batch. Pairs that
    share a sentence are not each other's negatives. ``r^`` and ``rt`` see each other, so the first
    of the three can be solved without any alignment: the log has every term.

    *MLM*: 15 % of the tokens of the row are masked and predicted, never [QUE] and never an answer.

    Source: Chen et al. 2022, https://arxiv.org/abs/2204.05210, section 3. The paper prints a
    temperature of 20; divided by it, cosines differ by .1 at most, so a scale of 20 (.05) may be
    meant.

    Attributes:
        clism: Weight of the span term; 0 leaves it out.
        cacr: Weight of the three consistency terms; 0 leaves them out.
        mlm: Weight of the masked-language-model term; 0 for a base without such a head.
        temperature: Cosines of CACR are divided by it.
        probability: Share of tokens that are masked.
    """

    clism: float = 1.0
    cacr: float = 1.0
    mlm: float = 1.0
    temperature: float = 0.05
    probability: float = 0.15

    consumes: ClassVar[type] = AlignedSpans
    source: ClassVar[str] = "https://arxiv.org/abs/2204.05210"
    coupled: ClassVar[bool] = True
    own_tokens: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if min(self.clism, self.cacr, self.mlm) < 0 or self.clism + self.cacr + self.mlm == 0:
            raise ValueError("clism, cacr and mlm must not be negative, nor all 0")
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if not 0 < self.probability < 1:
            raise ValueError("probability must be above 0 and below 1")

    @property
    def unused(self) -> tuple[str, ...]:
        """The services that these options do not need."""
        return () if self.mlm else ("lm_head",)

    def heads(self, width: int) -> PointerHead | None:
        """Build the pointers W_s and W_e, which are saved beside the module."""
        return PointerHead(width) if self.clism else None

    def views(
        self,
        records: Sequence[AlignedSpans],
        rng: random.Random,
        tokenizer: Any,
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
        vocabulary: int,
        max_length: int,
    ) -> dict[str, Any]:
        """Build the view of the joint rows and, for CACR, that of the sentences alone.

        Raises:
            UserError: If MLM is asked for and the base has no mask token.
        """
        template = Template.of(tokenizer)
        pivots = tokenize_words([r.pivot for r in records])
        texts = tokenize_words([r.text for r in records])
        rows = [
            hidden_row(pivot, text, r.spans, template, vocabulary, max_length)
            for pivot, text, r in zip(pivots, texts, records, strict=True)
        ]
        ids, picked, labels = self._masked(rows, draws(rng, records), tokenizer)
        made: dict[str, Any] = {
            "joint": EncodeView(
                ids, output="states", second=[row.second for row in rows],
                langs=[r.lang for r in records],
            ),
            "rows": rows,
            "picked": picked,
            "labels": labels,
            "keys": [tuple(normal_key(" ".join(w)) for w in (r.pivot, r.text)) for r in records],
        }  # fmt: skip
        if self.cacr:
            langs = [r.pivot_lang for r in records]
            own = [row.ids for row in pivots]
            made["alone"] = EncodeView(own, output="states", langs=langs)
            made["pieces"] = [
                (row.pieces[0][0], row.pieces[-1][0] + 1) if row.pieces else (0, 0)
                for row in pivots
            ]
        return made

    def _masked(
        self, rows: Sequence[HiddenRow], chances: Sequence[random.Random], tokenizer: Any
    ) -> tuple[list[list[int]], list[tuple[int, int]], list[int]]:
        """Mask some tokens of each row; return ids, the masked positions, and their labels."""
        ids = [list(row.ids) for row in rows]
        picked: list[tuple[int, int]] = []
        labels: list[int] = []
        if not self.mlm:
            return ids, picked, labels
        if tokenizer.mask_token_id is None:
            raise UserError("the base's tokenizer has no mask token", todo="Set mlm: 0")
        masking = Masking(self.probability, mask_rate=0.8, random_rate=0.1)
        for owner, (row, chance) in enumerate(zip(rows, chances, strict=True)):
            kept = {*row.asked, *(i for a, b in row.gold for i in range(a, b + 1))}
            free = [i for i in (*range(*row.first_part), *range(*row.second_part)) if i not in kept]
            for at in masking.choose(free, chance):
                picked.append((owner, at))
                labels.append(row.ids[at])
                ids[owner][at] = masking.disguise(row.ids[at], chance, tokenizer)
        return ids, picked, labels

    def loss(
        self,
        joint: States,
        rows: list[HiddenRow],
        picked: list[tuple[int, int]],
        labels: list[int],
        keys: list[tuple[str, str]],
        alone: States | None = None,
        pieces: list[Span] | None = None,
        heads: PointerHead | None = None,
        lm_head: Callable[[Tensor], Tensor] | None = None,
    ) -> Loss:
        """Compute the weighted sum of the terms of each pair, ``(n,)``; the log has each term."""
        n, device = len(rows), joint.hidden.device
        total = torch.zeros(n, device=device)
        logged: dict[str, Tensor] = {}
        if self.clism and heads is not None:
            values, counts = pointing_loss(joint, rows, heads)
            total = total + self.clism * values
            logged["clism"] = (values * (counts > 0)).sum() / (counts > 0).sum().clamp(min=1)
        if self.cacr and alone is not None and pieces is not None:
            hidden = segment_means(joint.hidden, [row.first_part for row in rows])
            target = segment_means(joint.hidden, [row.second_part for row in rows])
            source = segment_means(alone.hidden, pieces)
            for name, one, other in (
                ("cacr_joint", target, hidden),
                ("cacr_source", source, hidden),
                ("cacr_translation", target, source),
            ):
                values = self._agreement(one, other, keys)
                total = total + self.cacr * values
                logged[name] = values.mean()
        if self.mlm and lm_head is not None:
            index = torch.tensor(picked, device=device, dtype=torch.long).reshape(-1, 2)
            logits = lm_head(joint.hidden[index[:, 0], index[:, 1]])
            label = torch.tensor(labels, device=device, dtype=torch.long)
            values, _ = token_cross_entropy(logits, label, index[:, 0], n)
            total = total + self.mlm * values
            logged["mlm"] = values.mean()
        return Loss(total, logged=logged)

    def _agreement(self, one: Tensor, other: Tensor, keys: list[tuple[str, str]]) -> Tensor:
        own = torch.arange(len(one), device=one.device)
        same = [
            (i, j)
            for i, ours in enumerate(keys)
            for j, theirs in enumerate(keys)
            if ours[0] == theirs[0] or ours[1] == theirs[1]
        ]
        at = torch.tensor(same, device=one.device)
        return info_nce(one, other, own, self.temperature, (at[:, 0], at[:, 1]))


def pointing_loss(
    joint: States, rows: Sequence[HiddenRow], heads: PointerHead
) -> tuple[Tensor, Tensor]:
    """Compute the mean loss of each row's [QUE] tokens, and their number: both ``(n,)``."""
    device = joint.hidden.device
    owner = torch.tensor([i for i, row in enumerate(rows) for _ in row.asked], device=device).long()
    at = torch.tensor([place for row in rows for place in row.asked], device=device).long()
    gold = torch.tensor([ends for row in rows for ends in row.gold], device=device).long()
    none = joint.hidden.sum((1, 2)).float() * 0
    if not len(owner):
        return none, torch.zeros(len(rows), device=device)
    scores = heads.scores(joint.hidden, owner, at)
    scores = scores.masked_fill(joint.mask[owner][..., None] == 0, -torch.inf)
    each = F.cross_entropy(scores, gold, reduction="none").sum(1)
    counts = torch.zeros(len(rows), device=device).index_add(0, owner, torch.ones_like(each))
    sums = none.index_add(0, owner, each)
    return sums / counts.clamp(min=1), counts


Part = ClismCacr
