"""The interface of a frozen base of any kind, for training, injection and caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from xadapt.backbones.families import Family, SitePoint
from xadapt.backbones.frames import ActsInForward, WeightsGuard


class Backbone(Protocol):
    """A frozen base: runs states through any span of its layers, and lists the sites in them.

    The base is in eval mode and deterministic. A forward does not change the base, so any number of
    threads may use the base at once.

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
        """The device of the weights."""

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
        """Embed tokens ``(batch, tokens)``.

        The result is the states ``(batch, tokens, width)`` that enter layer 0.
        """

    def run(
        self,
        hidden: Tensor,
        mask: Tensor,
        start: int = 0,
        stop: int | None = None,
        segment_ids: Tensor | None = None,
        activation: ActsInForward | None = None,
    ) -> Tensor:
        """Run states ``(batch, tokens, width)`` through the layers ``start`` to ``stop - 1``."""

    def sites(self, layer: int, name: str) -> list[SitePoint]:
        """Return the linears of one site of one layer."""
