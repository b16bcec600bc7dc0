"""What training, injection and caches ask of a frozen base, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from xadapt.backbones.families import Family, SitePoint
from xadapt.backbones.frames import ActsInForward, WeightsGuard


class Backbone(Protocol):
    """A frozen base: states through any span of its layers, and the sites in them.

    It is in eval mode and deterministic. Nothing on it changes during a forward, so that any
    number of threads may use it at once.

    Attributes:
        model: The transformers model.
        family: The names of its architecture.
        guard: Keeps forwards apart from exchanges of the weights.
        depth: Number of layers.
        width: Size of a token state.
    """

    model: nn.Module
    family: Family
    guard: WeightsGuard
    depth: int
    width: int

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the states."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""

    @property
    def fingerprint(self) -> str:
        """``sha256:...`` over weights, tokenizer and configuration."""

    def embed(
        self,
        tokens: Tensor,
        mask: Tensor,
        second: Sequence[int] | None = None,
        activation: ActsInForward | None = None,
    ) -> Tensor:
        """What enters layer 0: ``(batch, tokens)`` to ``(batch, tokens, width)``."""

    def run(
        self,
        hidden: Tensor,
        mask: Tensor,
        start: int = 0,
        stop: int | None = None,
        owner: Tensor | None = None,
        activation: ActsInForward | None = None,
    ) -> Tensor:
        """States ``(batch, tokens, width)`` through the layers ``start`` to ``stop - 1``."""

    def sites(self, layer: int, name: str) -> list[SitePoint]:
        """The linears of one site of one layer."""
