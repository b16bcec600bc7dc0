"""Word alignment: words are drawn to their translations, by links that need no annotation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from xadapt.data.records import ParallelPair
from xadapt.functional.lexical_links import Lexicon, learn_lexicon
from xadapt.functional.losses import link_consistency, link_loss, softmax_both_ways
from xadapt.functional.word_alignment import middle_layer
from xadapt.objectives.contract import EncodeView, Loss, States

Pieces = list[list[int]]


@dataclass
class Memory:
    """The pairs of the whole data, and the lexicon of their pieces, learnt when first needed."""

    records: Sequence[ParallelPair]
    lexicons: list[Lexicon] = field(default_factory=list)

    def lexicon(self, tokenize_words: Callable[..., list[Any]], most: int) -> Lexicon:
        """Return the lexicon over the base's pieces of the first ``most`` pairs."""
        if not self.lexicons:
            rows = self.records[:most]
            ours, theirs = (
                [_ids(row) for row in tokenize_words(_words(texts))]
                for texts in ([r.text for r in rows], [r.pivot for r in rows])
            )
            self.lexicons.append(learn_lexicon(ours, theirs))
        return self.lexicons[0]


@dataclass(frozen=True)
class WordAlignment:
    """Raise the probabilities of linked pieces, and make both directions agree.

    ``S_xy`` is the softmax of the similarities of each piece of the text with all pieces of the
    pivot, ``S_yx`` that of each piece of the pivot. The links ``A`` are the guide. The loss is
    ``- sum A (S_xy / n + S_yx / m) / 2 - consistency * sum S_xy S_yx / min(n, m)``.

    With the guide ``own``, links are those whose probability is above ``threshold`` in both
    directions, under the module as it is (the self-training of awesome-align). ``frozen`` takes
    them from the bare base. ``lexical`` takes those of a statistical aligner that is learnt from
    the training pairs (`xadapt.functional.lexical_links`), which knows translations that the base
    does not.

    Source: Dou and Neubig 2021 (awesome-align), https://arxiv.org/abs/2101.08231, section 2.2, with
    the terms of its code; the layer of a sentence encoder as in AccAlign, Wang et al. 2022,
    https://arxiv.org/abs/2301.12140. awesome-align also trains MLM, TLM, and a classifier of
    parallel sentences.

    Attributes:
        layer: Number of layers before the states; ``None`` means two thirds of the base's.
        guide: ``own``, ``frozen`` or ``lexical``.
        threshold: Least probability of a link of the guide, in both directions.
        consistency: Weight of the agreement of both directions.
        form: ``probability`` as in the paper, or ``log``: the mean cross-entropy of the links,
            which also moves pieces that are far from their partners.
        similarity: ``dot``, or ``cosine``.
        temperature: Similarities are divided by it; 1 with ``dot`` is that of awesome-align.
        pivot: ``active`` trains both sides, ``frozen`` keeps the pivot side without the module.
        lexical_pairs: Number of pairs that the statistical aligner reads at most.
    """

    layer: int | None = None
    guide: Literal["own", "frozen", "lexical"] = "own"
    threshold: float = 0.001
    consistency: float = 0.0
    form: Literal["probability", "log"] = "probability"
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: float = 1.0
    pivot: Literal["active", "frozen"] = "active"
    lexical_pairs: int = 50_000

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/2101.08231"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")
        if not 0 <= self.threshold < 1:
            raise ValueError("threshold must be at least 0 and below 1")
        if self.consistency < 0:
            raise ValueError("consistency must not be negative")
        if self.layer is not None and self.layer < 0:
            raise ValueError("layer must not be negative")
        if self.lexical_pairs < 1:
            raise ValueError("lexical_pairs must be at least 1")

    def prepare(self, records: Sequence[ParallelPair]) -> Memory:
        """Keep the pairs, of which the statistical aligner learns."""
        return Memory(records)

    def views(
        self,
        records: Sequence[ParallelPair],
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
        depth: int,
        memory: Memory,
    ) -> dict[str, Any]:
        """Build the views of both sides after a layer, and the places of their pieces."""
        texts = tokenize_words(_words([r.text for r in records]))
        pivots = tokenize_words(_words([r.pivot for r in records]))
        here, there = [r.lang for r in records], [r.pivot_lang for r in records]
        layer = middle_layer(depth) if self.layer is None else self.layer

        def view(rows: list[Any], langs: list[str], module: bool) -> EncodeView:
            ids = [row.ids for row in rows]
            return EncodeView(ids, output="states", layer=layer, module=module, langs=langs)

        made: dict[str, Any] = {
            "text": view(texts, here, True),
            "pivot": view(pivots, there, self.pivot == "active"),
            "text_pieces": [[at for at, _ in row.pieces] for row in texts],
            "pivot_pieces": [[at for at, _ in row.pieces] for row in pivots],
            "links": None,
        }
        if self.guide == "frozen":
            made |= {
                "base_text": view(texts, here, False),
                "base_pivot": view(pivots, there, False),
            }
        if self.guide == "lexical":
            known = memory.lexicon(tokenize_words, self.lexical_pairs)
            made["links"] = [
                torch.from_numpy(known.links(_ids(one), _ids(other), self.threshold))
                for one, other in zip(texts, pivots, strict=True)
            ]
        return made

    def loss(
        self,
        text: States,
        pivot: States,
        text_pieces: Pieces,
        pivot_pieces: Pieces,
        links: list[Tensor] | None = None,
        base_text: States | None = None,
        base_pivot: States | None = None,
    ) -> Loss:
        """Compute the loss of each pair, ``(n,)``; a pair without any link has a loss of 0."""
        ours = _chosen(text.hidden, text_pieces), _chosen(pivot.hidden, pivot_pieces)
        forward, backward = self._directions(*ours)
        if links is None:
            guide = self._guided(ours, base_text, base_pivot, text_pieces, pivot_pieces)
        else:
            guide = _padded(links, forward)
        loss = link_loss(forward, backward, guide, ours[0][1], ours[1][1], self.form == "log")
        if self.consistency:
            agreed = link_consistency(forward, backward, ours[0][1], ours[1][1])
            loss = loss - self.consistency * agreed
        return Loss(loss)

    def _guided(
        self,
        ours: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]],
        base_text: States | None,
        base_pivot: States | None,
        text_pieces: Pieces,
        pivot_pieces: Pieces,
    ) -> Tensor:
        with torch.no_grad():
            if base_text is not None and base_pivot is not None:
                ours = (
                    _chosen(base_text.hidden, text_pieces),
                    _chosen(base_pivot.hidden, pivot_pieces),
                )
            forward, backward = self._directions(*ours)
            least = max(self.threshold, 1e-9)  # padding has probability 0
            return (forward.exp() > least) & (backward.exp() > least)

    def _directions(
        self, text: tuple[Tensor, Tensor], pivot: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        (left, real_left), (right, real_right) = text, pivot
        if self.similarity == "cosine":
            left = torch.nn.functional.normalize(left, dim=-1)
            right = torch.nn.functional.normalize(right, dim=-1)
        scores = left @ right.transpose(1, 2) / self.temperature
        return softmax_both_ways(scores, real_left, real_right)


def _words(texts: Sequence[str]) -> list[list[str]]:
    return [text.split() for text in texts]


def _ids(row: Any) -> list[int]:
    return [row.ids[at] for at, _ in row.pieces]


def _chosen(hidden: Tensor, places: Pieces) -> tuple[Tensor, Tensor]:
    """Gather the states of pieces, padded: ``(n, pieces, width)`` in fp32, and which are real."""
    most = max(1, *map(len, places))
    index = torch.tensor([row + [0] * (most - len(row)) for row in places], device=hidden.device)
    lengths = torch.tensor([len(row) for row in places], device=hidden.device)
    real = torch.arange(most, device=hidden.device) < lengths[:, None]
    wide = index.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
    return hidden.float().gather(1, wide), real


def _padded(links: Sequence[Tensor], like: Tensor) -> Tensor:
    guide = torch.zeros(like.shape, dtype=torch.bool)
    for row, own in enumerate(links):
        guide[row, : own.shape[0], : own.shape[1]] = own
    return guide.to(like.device)


Part = WordAlignment
