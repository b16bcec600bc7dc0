"""Modules onto the sites of a frozen encoder, row by row, and off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.families import SITES, SitePoint
from xadapt.core.errors import UserError
from xadapt.injection.row_groups import ALL, Rows, join, split_by_rows
from xadapt.modules.effects import BELOW, EMBEDDED, Effect, Geometry, Here, Remembered, effects_of


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
        self.group: Tensor | None = None
        self._inputs: dict[Remembered, Tensor] = {}
        self._ids: Tensor | None = None
        self._undo: list[Callable[[], None]] = []
        self._acts = [(effect, place(encoder, effect)) for effect in effects_of(module)]
        self._lowest = self.first_layer
        self.attach()

    @property
    def attached(self) -> bool:
        """Whether it is on the encoder, be it on or off."""
        return bool(self._undo)

    def attach(self) -> None:
        """Put the module back onto the encoder after `remove`."""
        for at in dict.fromkeys(at for effect, _ in self._acts for at in effect.remembered):
            self._remember(at)
        self._undo.append(join(self.encoder.model, self))
        for effect, site in self._acts:
            self._hook_embeddings(effect) if site is None else self._hook(effect, site)

    @property
    def first_layer(self) -> int:
        """The lowest layer the module acts in, -1 for the embeddings: what lies below is fixed.

        The depth of the encoder where it acts nowhere.
        """
        return lowest(effects_of(self.module), self.encoder.depth)

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """What the module asks states to go through before the vocabulary, if it does."""
        return getattr(self.module, "before_vocabulary", None)

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
            with self.encoder.reuse.touching(self._lowest):
                yield
        finally:
            self.rows = before
            self._inputs.clear()
            self._ids = None

    def remove(self) -> None:
        """Take the module off the encoder, which is bare then; `attach` puts it back."""
        while self._undo:
            self._undo.pop()()

    def _hook(self, effect: Effect, site: SitePoint) -> None:
        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            return self._add(effect, site, inputs[0], output) if self.rows is not None else None

        self._undo.append(site.module.register_forward_hook(add).remove)
        if effect.site in ("q", "k") and projects_positions(self.encoder):
            owner = self.encoder.model.get_submodule(site.path.rpartition(".")[0])
            self._undo.append(split_by_rows(self.encoder.model, owner))

    def _remember(self, at: Remembered) -> None:
        """Keep the input of a layer's attention or FFN while the module is on."""
        layer, reads = at
        sites = ("q", "k", "v") if reads == "attn_in" else ("ffn_in",)  # whichever is called first
        modules = {site.module for name in sites for site in self.encoder.sites(layer, name)}
        if reads == "attn_in" and projects_positions(self.encoder):
            # The attention may see groups of rows apart; its layer sees them all, and the same.
            modules = {self.encoder.model.get_submodule(f"{self.encoder.family.layers}.{layer}")}

        def keep(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            if self.rows is not None:
                self._inputs[at] = given[0] if given else named["hidden_states"]

        for module in modules:
            self._undo.append(module.register_forward_pre_hook(keep, with_kwargs=True).remove)

    def _add(self, effect: Effect, site: SitePoint, x: Tensor, y: Tensor) -> Tensor:
        whole = site.stop - site.start == y.shape[-1]
        here = Here(effect.layer, x, y if whole else y[..., site.start : site.stop])
        if effect.reads == "here" or effect.remembered:
            here = self._with_inputs(here, effect)
        onto = getattr(effect.fn, "onto", None)
        if onto and self.rows is ALL and whole:
            return onto(here.read(effect.reads), y)
        delta = effect.fn(_given(effect, here, self.rows)).to(y.dtype)
        if delta.shape[-1] != y.shape[-1]:
            delta = F.pad(delta, (site.start, y.shape[-1] - site.stop))
        return _added(y, self.rows, delta)

    def _with_inputs(self, here: Here, effect: Effect) -> Here:
        """With what the effect reads besides; of the group where attention sees rows apart."""
        seen = slice(None) if self.group is None else self.group
        inputs = {at: self._inputs[at][seen] for at in effect.remembered}
        mask = self.encoder.mask
        return replace(here, inputs=inputs, mask=None if mask is None else mask[seen])

    def _hook_embeddings(self, effect: Effect) -> None:
        table = embedding_table(self.encoder)
        block = self.encoder.family.embeddings if effect.site == EMBEDDED else ""
        owner: nn.Module = self.encoder.model.get_submodule(block) if block else table

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
            source = _given(effect, Here(BELOW, output, output), self.rows)
            delta = effect.fn(source).to(output.dtype)
            mask = self.encoder.mask
            if effect.site == EMBEDDED and mask is not None:
                # DeBERTa's convolution reads padding, which the base keeps at zero.
                delta = delta * mask[self.rows].unsqueeze(-1).to(delta.dtype)
            return _added(output, self.rows, delta)

        self._undo.append(owner.register_forward_hook(change).remove)


@contextmanager
def together(acts: Sequence[Attachment | None]) -> Iterator[None]:
    """Let attachments act inside the block, each on its own rows of a batch.

    Args:
        acts: What acts on each row; ``None`` for a row of the bare base.
    """
    groups: dict[Attachment, list[int]] = {}
    for row, attachment in enumerate(acts):
        if attachment is not None:
            groups.setdefault(attachment, []).append(row)
    with ExitStack() as stack:
        for attachment, members in groups.items():
            whole = len(members) == len(acts)
            stack.enter_context(attachment.on(None if whole else members))
        yield


def lowest(effects: Sequence[Effect], depth: int) -> int:
    """The lowest layer that effects act in or read, -1 for the embeddings.

    Args:
        effects: What acts.
        depth: Of the encoder; told where nothing acts.
    """
    layers = [at for e in effects for at in (e.layer, *(at for at, _ in e.remembered))]
    return min(layers, default=depth)


def _given(effect: Effect, here: Here, rows: Rows) -> Any:
    assert rows is not None
    return here.of(rows) if effect.reads == "here" else here.read(effect.reads)[rows]


def _added(y: Tensor, rows: Rows, delta: Tensor) -> Tensor:
    return y.index_add(0, rows, delta) if isinstance(rows, Tensor) else y + delta


def place(encoder: Encoder, effect: Effect) -> SitePoint | None:
    """Where an effect acts; ``None`` stands for the embeddings.

    Raises:
        UserError: The encoder has no such place.
    """
    if effect.layer == BELOW:
        return None
    points = encoder.sites(effect.layer, effect.site) if effect.layer < encoder.depth else []
    if effect.point >= len(points):
        raise UserError(
            f"the module acts on {effect.site} {effect.point + 1} of layer {effect.layer + 1}, "
            f"which this base of {encoder.depth} layers lacks",
            todo="Load it on the base it was trained on",
        )
    if effect.by_row and effect.site in ("q", "k") and projects_positions(encoder):
        raise UserError(
            "this base projects its positions through q and k, once for all rows, so "
            "experts there can't be weighed by row",
            todo="Route experts that act on other sites",
        )
    return points[effect.point]


def projects_positions(encoder: Encoder) -> bool:
    """Whether q and k are also called on a table of positions that all rows share (DeBERTa)."""
    return bool(getattr(encoder.model.config, "share_att_key", False))
