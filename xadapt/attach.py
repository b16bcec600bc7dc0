"""Modules onto the linear sites of a frozen encoder, row by row, and off again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.backbones.encoder import Encoder
from xadapt.backbones.families import SITES, SitePoint
from xadapt.errors import UserError
from xadapt.modules.effects import Effect, Geometry

ALL = slice(None)


def geometry(encoder: Encoder) -> Geometry:
    """The shapes of an encoder's sites."""
    sizes = {
        (layer, name, point): (site.module.in_features, site.stop - site.start)
        for layer in range(encoder.depth)
        for name in SITES
        for point, site in enumerate(encoder.sites(layer, name))
    }
    return Geometry(encoder.depth, encoder.width, sizes)


class Attachment:
    """One module on one encoder. Off at first; `on` lets it act, on all rows or on some.

    While it is off the encoder computes bitwise what it computed before. Attachments act in
    the order they were made: what reads a site's output sees the earlier ones' effect.

    Args:
        encoder: The frozen encoder.
        module: Any module of ``xadapt/modules``.

    Raises:
        UserError: The module doesn't fit the encoder.
    """

    def __init__(self, encoder: Encoder, module: nn.Module) -> None:
        self.encoder, self.module = encoder, module
        self._rows: slice | Tensor | None = None
        self._ffn_input: dict[int, Tensor] = {}
        self._handles: list[Any] = []
        for effect in module.effects():
            self._hook(effect)

    @property
    def first_layer(self) -> int:
        """The lowest layer the module acts in: what lies below does not depend on it."""
        return min(effect.layer for effect in self.module.effects())

    @contextmanager
    def on(self, rows: Sequence[int] | None = None) -> Iterator[None]:
        """Let the module act inside the block.

        Args:
            rows: Positions in the batch it acts on; ``None`` means all.
        """
        before = self._rows
        self._rows = ALL if rows is None else torch.as_tensor(rows, device=self.encoder.device)
        if isinstance(self._rows, Tensor) and not len(self._rows):
            self._rows = None
        try:
            yield
        finally:
            self._rows = before
            self._ffn_input.clear()

    def remove(self) -> None:
        """Take the module off the encoder for good."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hook(self, effect: Effect) -> None:
        points = _points(self.encoder, effect)
        site = points[effect.point]
        if effect.reads == "ffn_in":
            first = self.encoder.sites(effect.layer, "ffn_in")[0].module

            def remember(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
                if self._rows is not None:
                    self._ffn_input[effect.layer] = inputs[0]

            self._handles.append(first.register_forward_pre_hook(remember))

        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if self._rows is None:
                return None
            return self._add(effect, site, inputs[0], output)

        self._handles.append(site.module.register_forward_hook(add))

    def _add(self, effect: Effect, site: SitePoint, x: Tensor, y: Tensor) -> Tensor:
        read = {"input": x, "output": y[..., site.start : site.stop]}
        source = self._ffn_input[effect.layer] if effect.reads == "ffn_in" else read[effect.reads]
        delta = effect.fn(source[self._rows]).to(y.dtype)
        if delta.shape[-1] != y.shape[-1]:
            delta = F.pad(delta, (site.start, y.shape[-1] - site.stop))
        if isinstance(self._rows, Tensor):
            return y.index_add(0, self._rows, delta)
        return y + delta


def _points(encoder: Encoder, effect: Effect) -> list[SitePoint]:
    if effect.layer >= encoder.depth:
        raise UserError(
            f"the module acts in layer {effect.layer + 1} and this base has {encoder.depth}",
            todo="Load it on the base it was trained on",
        )
    return encoder.sites(effect.layer, effect.site)
