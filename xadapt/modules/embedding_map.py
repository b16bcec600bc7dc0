"""A map of the frozen word embeddings, and LoRAs in the layers above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from xadapt.modules.hooks import (
    BELOW,
    EMBEDDINGS,
    AdapterHook,
    ModelShape,
    ModuleOptions,
    SiteInputs,
    uniform,
)
from xadapt.modules.lora import LoRA, LoRAOptions


class EmbeddingMapOptions(ModuleOptions):
    """Options of a map of word embeddings.

    ``layers`` are those of the LoRAs; the map itself is below all layers.

    Attributes:
        form: ``shared`` is one map for all tokens, so it also moves tokens that no data named;
            ``rows`` is a difference for each token, which stays zero for tokens that were never
            trained; ``both`` is their sum.
        rank: Rank of the shared map; ``null`` for any matrix.
        shift: Whether the shared map also adds one vector to all embeddings.
        row_rank: Rank of the differences.
        tied: Whether the shared map also acts where states are compared with the vocabulary, in
            training by masked tokens, as if the output embeddings were the input embeddings.
        lora_rank: Rank of the LoRAs; 0 means no LoRA.
        alpha: The updates of the LoRAs are scaled by ``alpha / lora_rank``.
        sites: The linear sites of the LoRAs.
    """

    form: Literal["shared", "rows", "both"] = "shared"
    rank: PositiveInt | None = 64
    shift: bool = True
    row_rank: PositiveInt = 8
    tied: bool = True
    lora_rank: NonNegativeInt = 0
    alpha: PositiveFloat = 32.0
    sites: tuple[str, ...] = Field(("q", "k", "v", "ffn_in", "ffn_out"), min_length=1)

    @model_validator(mode="after")
    def _lora_is_sound(self) -> Self:
        if self.lora_rank:
            self.lora()
        elif self.layers != "all":
            raise ValueError("layers are those of the LoRAs, and lora_rank is 0")
        return self

    def lora(self) -> LoRAOptions:
        """Return the options of the LoRAs."""
        return LoRAOptions(
            sites=self.sites, rank=self.lora_rank, alpha=self.alpha, layers=self.layers
        )


class SharedMap(nn.Module):
    """A difference ``x -> x U V + b``, or ``x W + b`` without a rank; zero when new.

    Args:
        width: Features of an embedding.
        rank: Columns of ``U (width, rank)`` and rows of ``V (rank, width)``; ``None`` for one
            matrix ``W (width, width)``.
        shift: Whether there is a ``b (width)``.
        generator: Source of the first values of ``U``.
    """

    def __init__(
        self, width: int, rank: int | None, shift: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.U = uniform((width, rank), width**-0.5, generator) if rank else None
        self.V = nn.Parameter(torch.zeros(rank or width, width))
        self.b = nn.Parameter(torch.zeros(width)) if shift else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., width)`` to the difference, in the dtype of ``x``."""
        low = x if self.U is None else x @ self.U.to(x.dtype)
        added = low @ self.V.to(x.dtype)
        return added if self.b is None else added + self.b.to(x.dtype)

    def before_vocabulary(self, states: Tensor) -> Tensor:
        """Compute ``h + h M^T`` of states ``(..., width)``, for the map ``E (I + M) + b``.

        The scores ``h . E_j`` then are those of mapped output embeddings. The term ``h . b`` is the
        same for all tokens, and no softmax sees it.
        """
        high = states @ self.V.T.to(states.dtype)
        return states + (high if self.U is None else high @ self.U.T.to(states.dtype))


class RowDifferences(nn.Module):
    """A difference for each token, ``A[id] B``; ``A`` starts at zero.

    Args:
        vocabulary: Number of tokens, the rows of ``A (vocabulary, rank)``.
        width: Features of an embedding, the columns of ``B (rank, width)``.
        rank: Rank of the differences.
        generator: Source of the first values of ``B``.
    """

    def __init__(self, vocabulary: int, width: int, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.zeros(vocabulary, rank))
        self.B = uniform((rank, width), rank**-0.5, generator)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids ``(batch, tokens)`` to ``(batch, tokens, width)``; zero beyond the vocabulary."""
        known = ids < len(self.A)
        rows = self.A[ids.where(known, 0)] * known.unsqueeze(-1)
        return rows @ self.B


class WordMap(nn.Module):
    """What the module adds to the output of the table of word embeddings.

    Args:
        options: Form, ranks and shift.
        model_shape: Shapes of the encoder.
        generator: Source of the first values.
    """

    def __init__(
        self, options: EmbeddingMapOptions, model_shape: ModelShape, generator: torch.Generator
    ) -> None:
        super().__init__()
        width = model_shape.width
        self.shared: SharedMap | None = None
        self.rows: RowDifferences | None = None
        if options.form != "rows":
            self.shared = SharedMap(width, options.rank, options.shift, generator)
        if options.form != "shared":
            self.rows = RowDifferences(model_shape.vocabulary, width, options.row_rank, generator)

    def forward(self, here: SiteInputs) -> Tensor:
        """Compute the difference ``(batch, tokens, width)``."""
        added = torch.zeros_like(here.output)
        if self.shared is not None:
            added = added + self.shared(here.output)
        if self.rows is not None:
            assert here.ids is not None
            added = added + self.rows(here.ids).to(added.dtype)
        return added


class EmbeddingMap(nn.Module):
    """``E_i (I + U V) + b + A_i B`` in place of the word embedding ``E_i``, and LoRAs above.

    A module of this kind belongs to one language: it acts on all tokens of that language's texts,
    and on no text of another.

    Source: the embeddings that Tang et al. 2022, "ALIGN-MLM", https://arxiv.org/abs/2211.08547,
    section 3.2, train are those of the whole model; here they are frozen, and this module learns
    how the ones of a language must move.

    Args:
        options: Form, ranks, and the LoRAs.
        model_shape: Shapes of the encoder.
        seed: Seed of the first values.

    Raises:
        ValueError: If a site is unknown to the encoder, or the layers are outside the encoder.
    """

    kind: ClassVar[str] = "embedding_map"
    Options: ClassVar[type[EmbeddingMapOptions]] = EmbeddingMapOptions

    def __init__(
        self, options: EmbeddingMapOptions, model_shape: ModelShape, seed: int = 0
    ) -> None:
        super().__init__()
        self.options = options
        generator = torch.Generator().manual_seed(seed)
        self.words = WordMap(options, model_shape, generator)
        self.lora = LoRA(options.lora(), model_shape, seed) if options.lora_rank else None

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """The map of states before the vocabulary, if output embeddings are tied."""
        shared = self.words.shared
        return shared.before_vocabulary if shared is not None and self.options.tied else None

    def hooks(self) -> list[AdapterHook]:
        """Return one hook at the table of word embeddings, and those of the LoRAs."""
        table = AdapterHook(BELOW, EMBEDDINGS, 0, "here", self.words)
        return [table, *(self.lora.hooks() if self.lora is not None else ())]


Part = EmbeddingMap
Options = EmbeddingMapOptions
