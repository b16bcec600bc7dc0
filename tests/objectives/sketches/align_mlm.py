"""ALIGN-MLM: word embeddings of translations drawn together, by a module at the embeddings."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from xadapt.data.records import WordPair
from xadapt.functional.losses import cosine_distance
from xadapt.modules.hooks import BELOW, EMBEDDINGS, AdapterHook, ModelShape, ModuleOptions
from xadapt.objectives.contract import EncodeView, Loss, States


class Options(ModuleOptions):
    """Options of the map: its rank."""

    rank: int = 4


class Residual(nn.Module):
    """``x -> x U V`` for ``(..., width)``; V starts at zero."""

    def __init__(self, width: int, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.U = nn.Parameter(torch.randn(width, rank, generator=generator) * width**-0.5)
        self.V = nn.Parameter(torch.zeros(rank, width))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.U.to(x.dtype) @ self.V.to(x.dtype)


class EmbeddingMap(nn.Module):
    """A residual map ``E (I + U V)`` of the frozen word embeddings: shared by unseen words too."""

    kind: ClassVar[str] = "embedding_map"
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Options, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        self.map = Residual(model_shape.width, options.rank, generator)

    def hooks(self) -> list[AdapterHook]:
        """One, on the output of the table."""
        return [AdapterHook(BELOW, EMBEDDINGS, 0, "output", self.map)]


@dataclass(frozen=True)
class AlignMLM:
    """One minus the cosine of a word's embedding and its translation's; the MLM term is `mlm`.

    Several pieces of one word are averaged. The pivot's embeddings stay as they are.

    Source: Tang et al. 2022, "ALIGN-MLM", https://arxiv.org/abs/2211.08547, equation 1.
    """

    consumes: ClassVar[type] = WordPair
    source: ClassVar[str] = "https://arxiv.org/abs/2211.08547"
    coupled: ClassVar[bool] = False

    def views(
        self, records: Sequence[WordPair], rng: random.Random, tokenizer: Any
    ) -> dict[str, Any]:
        """Both words as their pieces alone, seen below the first layer."""
        word, pivot = (
            [tokenizer.encode(text, add_special_tokens=False) for text in side]
            for side in ([r.word for r in records], [r.pivot for r in records])
        )
        return {
            "word": EncodeView(word, output="states", layer=0),
            "pivot": EncodeView(pivot, module=False, output="states", layer=0),
        }

    def loss(self, word: States, pivot: States) -> Loss:
        """Distances ``(n,)`` of mean embeddings."""
        return Loss(cosine_distance(mean(word), mean(pivot)))


def mean(states: States) -> Tensor:
    """``(n, tokens, width)`` to ``(n, width)`` over the real tokens."""
    mask = states.mask.unsqueeze(-1)
    return (states.hidden.float() * mask).sum(1) / mask.sum(1)
