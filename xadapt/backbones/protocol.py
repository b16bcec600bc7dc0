"""The interface of a frozen base of any kind, for training, injection and caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from xadapt.backbones.families import SitePoint
from xadapt.backbones.frames import ActsInForward, WeightsGuard


class Names(Protocol):
    """The names of one architecture: `xadapt.backbones.families.Family` and its like."""

    @property
    def site_names(self) -> tuple[str, ...]:
        """The names of all sites."""

    @property
    def norms(self) -> Mapping[str, str]:
        """The paths of norms after sites."""

    @property
    def final_norm(self) -> str:
        """The path of the norm after the last layer."""

    @property
    def embeddings(self) -> str:
        """The path of the embedding module."""

    def auto_path(self, path: str) -> str:
        """Return the path of a site as other libraries name it."""

    def block(self, model: nn.Module, layer: int) -> str:
        """Return the path of a layer."""

    def depth(self, model: nn.Module) -> int:
        """Return the number of layers of a model."""


class Attachable(Protocol):
    """A frozen base that modules attach to: its layers are numbered, and each has sites.

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
    guard: WeightsGuard
    depth: int
    width: int

    @property
    def family(self) -> Names:
        """The names of the architecture."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the states."""

    @property
    def arithmetic(self) -> str:
        """The dtype and the quantisation, on which states depend besides the base and device."""

    @property
    def device(self) -> torch.device:
        """The device of the weights."""

    @property
    def fingerprint(self) -> str:
        """``sha256:...`` over weights, tokenizer and configuration."""

    def sites(self, layer: int, name: str) -> list[SitePoint]:
        """Return the linears of one site of one layer."""


class Backbone(Attachable, Protocol):
    """A frozen encoder: an `Attachable` that runs states through any span of its layers."""

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
