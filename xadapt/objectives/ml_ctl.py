"""ML-CTL: sentences and words of a pair against those of the batch, over first and last layer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.records import ParallelPair, WordPair
from xadapt.functional.losses import pair_contrast
from xadapt.objectives.contract import EncodeView, Loss, States, draws
from xadapt.objectives.word_pieces import pieces_of_words, words_of

Anchor = tuple[int, int]
"""The numbers of a word in the text and of its translation in the pivot."""


@dataclass(frozen=True)
class Memory:
    """The words of the dictionary in each pair.

    Attributes:
        anchors: By pair, the words that stand once in the text, and their translations once in the
            pivot.
        words: Whether words are part of the contrast.
    """

    anchors: dict[tuple[str, str], list[Anchor]]
    words: bool


@dataclass(frozen=True)
class Spans:
    """The pieces of one word in each row.

    Attributes:
        places: ``(row, position)`` of each piece.
    """

    places: list[tuple[int, int]]

    def mean(self, hidden: Tensor, rows: int) -> Tensor:
        """Average ``hidden (rows, tokens, width)`` over the pieces of each row's word."""
        index = torch.tensor(self.places, device=hidden.device, dtype=torch.long).reshape(-1, 2)
        picked = hidden[index[:, 0], index[:, 1]]
        sums = hidden.new_zeros(rows, hidden.shape[2]).index_add(0, index[:, 0], picked)
        counts = torch.bincount(index[:, 0], minlength=rows).clamp(min=1)
        return sums / counts.unsqueeze(1)


@dataclass(frozen=True)
class MLCTL:
    """CZ-NCE over the vectors of sentences and words, through a small network that is left out.

    With ``h1`` the states after the first layer, ``hL`` the last ones and ``m`` the mask,
    ``snt = sum_i m_i (h1_i + hL_i) / sum_i m_i``; ``word`` is the same over the pieces of one word
    of the dictionary; ``z = MLP([snt ; word])``, two linears of 2 d with a ReLU, alike for both
    languages. The loss of a pair is ``- s(z_x, z_y) + log sum exp(s)`` over ``s(z_x, z_y')`` and
    ``s(z_x, z_x')`` of all other pairs, ``s = cosine / temperature``; see
    `xadapt.functional.losses.pair_contrast`. It is not bounded below.

    A word counts if it stands exactly once in the text, as a whole word, and its translation
    exactly once in the pivot. Of several, one is drawn in each step. Pairs without a word are not
    trained on. The same sentences with another word are negatives; equal pairs of sentence and word
    are not. The dictionary is the entry ``dictionary`` of the recipe's data.

    Source: Yu et al. 2022, "Multi-Level Contrastive Learning for Cross-Lingual Alignment",
    https://arxiv.org/abs/2202.13083, and its public code.

    Attributes:
        temperature: Cosines are divided by it.
        loss_form: ``cz_nce`` as in the paper, or ``info_nce``, its ablation.
        words: Whether the word is part of the vector; ``false`` is an ablation, ``z = MLP(snt)``,
            on the same pairs.
        pivot: ``active`` trains both sides, as in the paper; ``frozen`` keeps the pivot side
            without the module.
    """

    temperature: float = 0.07
    loss_form: Literal["cz_nce", "info_nce"] = "cz_nce"
    words: bool = True
    pivot: Literal["active", "frozen"] = "active"

    consumes: ClassVar[type] = ParallelPair
    reads: ClassVar[dict[str, type]] = {"dictionary": WordPair}
    source: ClassVar[str] = "https://arxiv.org/abs/2202.13083"
    coupled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def prepare(self, records: Sequence[ParallelPair], dictionary: Sequence[WordPair]) -> Memory:
        """Find the words of the dictionary in every pair.

        Raises:
            UserError: If no pair holds one.
        """
        translations: dict[str, set[str]] = {}
        for entry in dictionary:
            translations.setdefault(entry.word.lower(), set()).add(entry.pivot.lower())
        anchors = {(r.text, r.pivot): _anchors(r, translations) for r in records}
        if not any(anchors.values()):
            raise UserError(
                "no pair holds a word of the dictionary once, and its translation once",
                where="--data dictionary",
                todo="Give a dictionary of these languages, with single words",
            )
        return Memory(anchors, self.words)

    def heads(self, width: int, memory: Memory) -> nn.Module:
        """Build the network over the vectors, which is trained with the module and left out."""
        size = 2 * width if memory.words else width
        return nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))

    def views(
        self,
        records: Sequence[ParallelPair],
        rng: random.Random,
        memory: Memory,
        tokenizer: Any,
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
    ) -> dict[str, Any]:
        """Build the views after the first and the last layer, and the pieces of the words."""
        special = set(tokenizer.all_special_ids)
        both = [[words_of(side) for side in (r.text, r.pivot)] for r in records]
        text, pivot = (tokenize_words([pair[side] for pair in both]) for side in (0, 1))
        used: list[int] = []
        spans: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        words: list[tuple[str, str]] = []
        for number, (record, chance) in enumerate(zip(records, draws(rng, records), strict=True)):
            pieces = [pieces_of_words(side[number], special) for side in (text, pivot)]
            known = [
                anchor
                for anchor in memory.anchors[record.text, record.pivot]
                if all(word in own for word, own in zip(anchor, pieces, strict=True))
            ]
            if not known:
                continue
            anchor = chance.choice(known)
            for own, word, places in zip(pieces, anchor, spans, strict=True):
                places += [(len(used), at) for at in own[word]]
            words.append((both[number][0][anchor[0]].lower(), both[number][1][anchor[1]].lower()))
            used.append(number)
        shown = used or [0]  # a batch without a word still needs a row to encode
        here, there = ([side[i].ids for i in shown] for side in (text, pivot))
        return {
            **_both_layers("text", here, [records[i].lang for i in shown]),
            **_both_layers(
                "pivot", there, [records[i].pivot_lang for i in shown], self.pivot == "active"
            ),
            "spans": [Spans(own) for own in spans],
            "used": used,
            "n": len(records),
            "keys": [
                (normal_key(records[i].text), normal_key(records[i].pivot), *own)
                for i, own in zip(used, words, strict=True)
            ],
        }  # fmt: skip

    def loss(
        self,
        text: States,
        text_first: States,
        pivot: States,
        pivot_first: States,
        spans: list[Spans],
        used: list[int],
        n: int,
        keys: list[tuple[str, ...]],
        memory: Memory,
        heads: nn.Module,
    ) -> Loss:
        """Compute the loss of each pair, weight 0 for those without a word: ``(n,)``."""
        device = text.hidden.device
        at = torch.tensor(used, device=device, dtype=torch.long)
        values = text.hidden.new_zeros(n, dtype=torch.float32)
        if used:
            vectors = [
                heads(_vector(last, first, span, memory.words))
                for last, first, span in zip(
                    (text, pivot), (text_first, pivot_first), spans, strict=True
                )
            ]
            same = _equal(keys, device)
            crossing = self.loss_form == "cz_nce"
            each = pair_contrast(vectors[0], vectors[1], self.temperature, same, crossing)
            values = values.index_add(0, at, each)
        return Loss(values, torch.zeros(n, device=device).index_fill(0, at, 1.0))


def _both_layers(
    name: str, rows: Sequence[Sequence[int]], langs: Sequence[str], module: bool = True
) -> dict[str, EncodeView]:
    given: dict[str, Any] = {"output": "states", "langs": langs, "module": module}
    return {
        name: EncodeView(rows, **given),
        f"{name}_first": EncodeView(rows, layer=1, **given),
    }


def _vector(last: States, first: States, span: Spans, words: bool) -> Tensor:
    hidden = last.hidden.float() + first.hidden.float()
    mask = last.mask.unsqueeze(-1)
    sentence = (hidden * mask).sum(1) / mask.sum(1)
    return torch.cat([sentence, span.mean(hidden, len(hidden))], 1) if words else sentence


def _equal(keys: Sequence[tuple[str, ...]], device: torch.device) -> Tensor:
    number: dict[tuple[str, ...], int] = {}
    ids = torch.tensor([number.setdefault(key, len(number)) for key in keys], device=device)
    return ids.unsqueeze(0) == ids.unsqueeze(1)


def _anchors(record: ParallelPair, translations: dict[str, set[str]]) -> list[Anchor]:
    """Return the words that stand once on their side with a translation once on the other."""
    here, there = (_once(words_of(side)) for side in (record.text, record.pivot))
    return [
        (at, there[other])
        for word, at in here.items()
        for other in sorted(translations.get(word, ()))
        if other in there
    ]


def _once(words: Sequence[str]) -> dict[str, int]:
    """Return the place of each word that stands exactly once, in lower case."""
    lower = [word.lower() for word in words]
    return {word: place for place, word in enumerate(lower) if lower.count(word) == 1}


Part = MLCTL
