"""ALIGN-MLM's dictionary term: the embeddings of a word and of its translation, by cosine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.data.records import WordPair
from xadapt.functional.losses import cosine_distance
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class AlignMLM:
    """One minus the cosine of a word's embedding and the frozen one of its translation.

    ``L = (1 / |D|) sum over (i, j) in D of (1 - cos(E_i, E_j))``. The masked-LM term of ALIGN-MLM
    is the objective ``mlm`` in the same recipe, and its lambda the ``weight`` here. ``E`` is the
    table of word embeddings, before positions and norm, in training as in ``evaluate dictionary``.
    The paper trains both sides and the whole table; here the pivot's embeddings stay as they are,
    and a module at the table moves the other side's. Several pieces of one word are averaged.

    Entries whose pieces are the same on both sides have weight zero (their cosine is one and says
    nothing), and so have entries with an unknown piece.

    The log has the mean cosine of the pairs (``aligned``) and of random pairs of words of the
    language (``random``): if both rise, the embeddings collapse to one direction.

    Source: Tang et al. 2022, "ALIGN-MLM", https://arxiv.org/abs/2211.08547, equation 1.

    Attributes:
        layer: Where vectors are taken: -1 is the table of word embeddings, 0 what enters the first
            layer, a higher number the states after as many layers.
        centred: Whether the mean of each side over the batch is subtracted first. Where all words
            of a base share a large mean vector, the cosine without it is near one for any two
            words, and all words of the language move to that mean. The paper does not centre.
    """

    layer: int = -1
    centred: bool = False

    consumes: ClassVar[type] = WordPair
    source: ClassVar[str] = "https://arxiv.org/abs/2211.08547"
    coupled: ClassVar[bool] = True  # by the mean of the batch

    def __post_init__(self) -> None:
        if self.layer < -1:
            raise ValueError("layer must be -1 (word embeddings), 0, or a number of layers")

    def views(
        self,
        records: Sequence[WordPair],
        rng: random.Random,
        tokenizer: Any,
        tokenize_words: Any,
    ) -> dict[str, Any]:
        """Build the views of both words, and the positions of their pieces."""
        known = {"special": set(tokenizer.all_special_ids), "unknown": tokenizer.unk_token_id}
        words, pivots = (
            [row.ids for row in tokenize_words([text.split() for text in texts])]
            for texts in ([r.word for r in records], [r.pivot for r in records])
        )
        places = [[_pieces(row, **known) for row in rows] for rows in (words, pivots)]
        used = [
            bool(i and j) and [words[n][p] for p in i] != [pivots[n][p] for p in j]
            for n, (i, j) in enumerate(zip(*places, strict=True))
        ]
        return {
            "word": EncodeView(
                words, output="states", layer=self.layer, langs=[r.lang for r in records]
            ),
            "pivot": EncodeView(pivots, module=False, output="states", layer=self.layer),
            "pieces": places,
            "used": used,
        }

    def loss(
        self,
        word: States,
        pivot: States,
        pieces: list[list[list[int]]],
        used: list[bool],
    ) -> Loss:
        """Compute distances of mean embeddings, ``(n,)``."""
        ours, theirs = mean_of(word, pieces[0]), mean_of(pivot, pieces[1]).detach()
        weights = ours.new_tensor(used)
        if self.centred:
            ours, theirs = (side - _mean(side, weights) for side in (ours, theirs))
        values = cosine_distance(ours, theirs)
        with torch.no_grad():
            others = F.cosine_similarity(ours, ours.roll(1, 0), dim=-1)
            counted = weights.sum().clamp(min=1)
            logged = {
                "aligned": ((1 - values) * weights).sum() / counted,
                "random": others.mean() if len(ours) > 1 else others.new_zeros(()),
            }
        return Loss(values, weights, logged=logged)


def mean_of(states: States, pieces: Sequence[Sequence[int]]) -> Tensor:
    """Average the states ``(n, tokens, width)`` of some positions of each row: ``(n, width)``.

    A row without positions gives the mean of all its tokens.
    """
    device = states.hidden.device
    owner = [n for n, own in enumerate(pieces) for _ in own]
    mask = torch.zeros_like(states.mask, dtype=torch.float32)
    at = torch.tensor([owner, list(chain(*pieces))], dtype=torch.long, device=device)
    mask[at[0], at[1]] = 1
    none = torch.tensor([not own for own in pieces], device=device).unsqueeze(1)
    mask = mask.where(~none, states.mask.float()).unsqueeze(-1)
    return (states.hidden.float() * mask).sum(1) / mask.sum(1)


def _mean(vectors: Tensor, weights: Tensor) -> Tensor:
    """Average the vectors ``(n, width)`` that count: ``(width,)``."""
    return (vectors * weights.unsqueeze(-1)).sum(0) / weights.sum().clamp(min=1)


def _pieces(row: Sequence[int], special: set[int], unknown: int | None) -> list[int]:
    """Return the positions of a word's pieces; none if one of them is unknown."""
    if unknown is not None and unknown in row:
        return []
    return [at for at, token in enumerate(row) if token not in special]


Part = AlignMLM
