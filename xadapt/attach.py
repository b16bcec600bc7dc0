"""Modules onto the sites of a frozen encoder, row by row, and off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.attach_rows import ALL, Rows, join, split_by_rows
from xadapt.backbones.encoder import Encoder
from xadapt.backbones.families import SITES, SitePoint
from xadapt.errors import UserError
from xadapt.modules.effects import BELOW, EMBEDDINGS, Effect, Geometry, Here, effects_of


def geometry(encoder: Encoder) -> Geometry:
    """The shapes of an encoder's sites."""
    sizes = {
        (layer, name, point): (int(site.module.in_features), site.stop - site.start)  # type: ignore[arg-type]
        for layer in range(encoder.depth)
        for name in SITES
        for point, site in enumerate(encoder.sites(layer, name))
    }
    return Geometry(encoder.depth, encoder.width, sizes, embedding_table(encoder).num_embeddings)


def embedding_table(encoder: Encoder) -> nn.Embedding:
    """The encoder's table of word embeddings, as its forward calls it."""
    inner: Any = getattr(encoder.model, "encoder", None)
    owner: Any = inner if hasattr(inner, "get_input_embeddings") else encoder.model
    table = owner.get_input_embeddings()
    assert isinstance(table, nn.Embedding)
    return table


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
        self.rows: Rows = None
        self._ffn_input: dict[int, Tensor] = {}
        self._ids: Tensor | None = None
        self._undo: list[Callable[[], None]] = []
        effects = effects_of(module)
        places = [_place(encoder, effect) for effect in effects]
        self._undo.append(join(encoder.model, self))
        for effect, site in zip(effects, places, strict=True):
            self._hook_embeddings(effect) if site is None else self._hook(effect, site)

    @property
    def first_layer(self) -> int:
        """The lowest layer the module acts in, -1 for the embeddings: what lies below is fixed."""
        return min(effect.layer for effect in effects_of(self.module))

    @contextmanager
    def on(self, rows: Sequence[int] | None = None) -> Iterator[None]:
        """Let the module act inside the block.

        Args:
            rows: Positions in the batch it acts on; ``None`` means all.
        """
        before = self.rows
        self.rows = ALL
        if rows is not None:
            distinct = list(dict.fromkeys(rows))
            self.rows = torch.tensor(distinct, device=self.encoder.device) if distinct else None
        try:
            yield
        finally:
            self.rows = before
            self._ffn_input.clear()
            self._ids = None

    def remove(self) -> None:
        """Take the module off the encoder for good."""
        while self._undo:
            self._undo.pop()()

    def _hook(self, effect: Effect, site: SitePoint) -> None:
        if effect.reads == "ffn_in" or (effect.reads == "here" and effect.site.startswith("ffn")):
            first = self.encoder.sites(effect.layer, "ffn_in")[0].module

            def remember(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
                if self.rows is not None:
                    self._ffn_input[effect.layer] = inputs[0]

            self._undo.append(first.register_forward_pre_hook(remember).remove)

        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            return self._add(effect, site, inputs[0], output) if self.rows is not None else None

        self._undo.append(site.module.register_forward_hook(add).remove)
        if effect.site in ("q", "k") and _projects_positions(self.encoder):
            owner = self.encoder.model.get_submodule(site.path.rpartition(".")[0])
            self._undo.append(split_by_rows(self.encoder.model, owner))

    def _add(self, effect: Effect, site: SitePoint, x: Tensor, y: Tensor) -> Tensor:
        whole = site.stop - site.start == y.shape[-1]
        here = Here(x, y[..., site.start : site.stop], self._ffn_input.get(effect.layer))
        onto = getattr(effect.fn, "onto", None)
        if onto and self.rows is ALL and whole:
            return onto(here.read(effect.reads), y)
        assert self.rows is not None
        delta = effect.fn(here.read(effect.reads, self.rows)).to(y.dtype)
        if delta.shape[-1] != y.shape[-1]:
            delta = F.pad(delta, (site.start, y.shape[-1] - site.stop))
        return _added(y, self.rows, delta)

    def _hook_embeddings(self, effect: Effect) -> None:
        table = embedding_table(self.encoder)

        def keep_inside(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if self.rows is None:
                return None
            self._ids = inputs[0]
            inside = inputs[0].clone()
            own = inside[self.rows]
            inside[self.rows] = own.where(own < table.num_embeddings, 0)
            return inside, *inputs[1:]

        def add(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
            if self.rows is None or self._ids is None:
                return None
            known = (self._ids < table.num_embeddings).unsqueeze(-1)
            y = output.where(known, output.new_zeros(()))
            source = (self._ids if effect.reads == "ids" else y)[self.rows]
            return _added(y, self.rows, effect.fn(source).to(y.dtype))

        if effect.reads == "ids":  # only such a module has vectors for ids beyond the table
            self._undo.append(table.register_forward_pre_hook(keep_inside).remove)
            self._undo.append(table.register_forward_hook(add).remove)
            return

        def change(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
            if self.rows is None:
                return None
            source = Here(output, output).read(effect.reads, self.rows)
            return _added(output, self.rows, effect.fn(source).to(output.dtype))

        self._undo.append(table.register_forward_hook(change).remove)


def _added(y: Tensor, rows: Rows, delta: Tensor) -> Tensor:
    return y.index_add(0, rows, delta) if isinstance(rows, Tensor) else y + delta


def _place(encoder: Encoder, effect: Effect) -> SitePoint | None:
    """Where an effect acts; ``None`` stands for the table of word embeddings."""
    if (effect.layer, effect.site) == (BELOW, EMBEDDINGS):
        return None
    points = encoder.sites(effect.layer, effect.site) if effect.layer < encoder.depth else []
    if effect.point >= len(points):
        raise UserError(
            f"the module acts on {effect.site} {effect.point + 1} of layer {effect.layer + 1}, "
            f"which this base of {encoder.depth} layers lacks",
            todo="Load it on the base it was trained on",
        )
    return points[effect.point]


def _projects_positions(encoder: Encoder) -> bool:
    """Whether q and k are also called on a table of positions that all rows share (DeBERTa)."""
    return bool(getattr(encoder.model.config, "share_att_key", False))
