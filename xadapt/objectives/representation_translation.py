"""Representation translation learning: a sentence is read off the states of its translation."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from xadapt.data.records import ParallelPair
from xadapt.functional.losses import token_cross_entropy
from xadapt.objectives.contract import EncodeView, Loss, States, draws
from xadapt.objectives.masking import require_mask

WAYS = {"to_pivot": ("text", "pivot"), "from_pivot": ("pivot", "text")}
"""The side that is read, and the side that is predicted, by direction."""


@dataclass(frozen=True)
class Translated:
    """What one direction predicts.

    Attributes:
        rows: Token ids: a mask token for each state of the side that is read, then the masked
            tokens of the other side.
        read: Number of states of each row.
        picked: Places ``(record, position)`` in ``rows`` that are scored.
        labels: Their true ids.
    """

    rows: list[list[int]]
    read: list[int]
    picked: list[tuple[int, int]]
    labels: list[int]


@dataclass(frozen=True)
class RepresentationTranslation:
    """Cross-entropy of all tokens of a sentence, predicted from the states of its translation.

    ``L = mean_i CE(head(g([h_x ; m_1 .. m_n]))_{|x| + i}, y_i)``: ``h_x`` are the last states of
    the sentence that is read, and ``m_i`` the embeddings of masked tokens at the positions after
    them. ``g`` is a trainable copy of the base's last layers. The base's masked-LM head follows and
    stays frozen. So the tokens of ``y`` must be in the states of ``x``. ``g`` is left out of the
    published module. The first token (CLS) is in neither part: the paper finds that it keeps
    translation ranking from converging.

    Source: Li et al. 2023, "Dual-Alignment Pre-training for Cross-lingual Sentence Embedding"
    (DAP), https://arxiv.org/abs/2305.09148, section 3.2.

    Attributes:
        direction: ``to_pivot`` reads the text and predicts the pivot, ``from_pivot`` the other way
            round, ``both`` is the mean of the two.
        layers: Number of layers of g (K).
        masked: Share of the predicted sentence's tokens that are masked (rho). The others are shown
            and not predicted, so the states need not hold them.
    """

    direction: Literal["to_pivot", "from_pivot", "both"] = "to_pivot"
    layers: int = 2
    masked: float = 1.0

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/2305.09148"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.layers < 1 or not 0 < self.masked <= 1:
            raise ValueError("layers must be at least 1, and masked in (0, 1]")

    @property
    def ways(self) -> list[str]:
        """The directions, in order."""
        return list(WAYS) if self.direction == "both" else [self.direction]

    def heads(self, width: int, copy_layers: Callable[[int], nn.Module]) -> nn.Module:
        """Build g, which starts as the base's last layers."""
        return copy_layers(self.layers)

    def views(
        self,
        records: Sequence[ParallelPair],
        rng: random.Random,
        tokenizer: Any,
        tokenize: Any,
        max_length: int,
    ) -> dict[str, Any]:
        """Build the views of the sides that are read, and what is predicted from each.

        Raises:
            UserError: If the base has no mask token.
        """
        require_mask(tokenizer)
        sides = {"text": [r.text for r in records], "pivot": [r.pivot for r in records]}
        langs = {"text": [r.lang for r in records], "pivot": [r.pivot_lang for r in records]}
        special = set(tokenizer.all_special_ids)
        ids = {name: [_without_first(row, special) for row in tokenize(sides[name])]
               for name in sides}  # fmt: skip
        chances = draws(rng, records)
        made: dict[str, Any] = {"predicted": {}}
        for way in self.ways:
            read, other = WAYS[way]
            made[read] = EncodeView(sides[read], output="states", langs=langs[read])
            made["predicted"][read] = self._predicted(
                ids[read], ids[other], chances, int(tokenizer.mask_token_id), max_length
            )
        return made

    def _predicted(
        self,
        read: Sequence[list[int]],
        other: Sequence[list[int]],
        chances: Sequence[random.Random],
        mask: int,
        room: int,
    ) -> Translated:
        rows: list[list[int]] = []
        picked: list[tuple[int, int]] = []
        labels: list[int] = []
        lengths = []
        for owner, (source, target, chance) in enumerate(zip(read, other, chances, strict=True)):
            length = min(len(source), room - 1)  # a long text leaves room for one token at least
            target = target[: room - length]
            hidden = [chance.random() < self.masked for _ in target]
            if target and not any(hidden):
                hidden[chance.randrange(len(target))] = True
            shown = [mask if h else token for token, h in zip(target, hidden, strict=True)]
            places = [i for i, h in enumerate(hidden) if h]
            picked += [(owner, length + i) for i in places]
            labels += [target[i] for i in places]
            rows.append([mask] * length + shown)
            lengths.append(length)
        return Translated(rows, lengths, picked, labels)

    def loss(
        self,
        predicted: dict[str, Translated],
        embed: Callable[[list[list[int]]], States],
        lm_head: Callable[[Tensor], Tensor],
        heads: nn.Module,
        text: States | None = None,
        pivot: States | None = None,
    ) -> Loss:
        """Compute each record's mean loss over predicted tokens, weighted by number: ``(n,)``."""
        given = {"text": text, "pivot": pivot}
        parts = []
        for side, own in predicted.items():
            states = given[side]
            assert states is not None
            parts.append(_read_off(states, own, embed, lm_head, heads))
        values = torch.stack([value for value, _ in parts]).mean(0)
        return Loss(values, torch.stack([count for _, count in parts]).mean(0))


def _read_off(
    states: States,
    own: Translated,
    embed: Callable[[list[list[int]]], States],
    lm_head: Callable[[Tensor], Tensor],
    heads: nn.Module,
) -> tuple[Tensor, Tensor]:
    device = states.hidden.device
    given = embed(own.rows)
    total = given.hidden.shape[1]
    first = (states.mask.sum(1).long() - torch.tensor(own.read, device=device)).clamp(min=0, max=1)
    at = torch.arange(total, device=device).unsqueeze(0)
    inside = at < torch.tensor(own.read, device=device).unsqueeze(1)
    places = (at + first.unsqueeze(1)).clamp(max=states.hidden.shape[1] - 1)
    read = states.hidden.gather(1, places.unsqueeze(-1).expand(-1, -1, states.hidden.shape[2]))
    joined = torch.where(inside.unsqueeze(-1), read, given.hidden.to(read.dtype))
    out = heads(joined, given.mask)
    index = torch.tensor(own.picked, device=device, dtype=torch.long).reshape(-1, 2)
    logits = lm_head(out[index[:, 0], index[:, 1]].to(states.hidden.dtype))
    target = torch.tensor(own.labels, device=device, dtype=torch.long)
    return token_cross_entropy(logits, target, index[:, 0], len(states.hidden))


def _without_first(row: Sequence[int], special: set[int]) -> list[int]:
    """Leave out the token before the text, such as CLS, if the base has one."""
    return list(row[1:]) if row and row[0] in special and len(row) > 1 else list(row)


Part = RepresentationTranslation
