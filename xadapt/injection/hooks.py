"""Hooks on the sites of a model, which apply the activation of the current forward.

A hook is installed once for each site and stays. In a forward without active adapters, the hook
returns at once. The output of the model is then bitwise the same as without the hook.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.backbones.families import SitePoint
from xadapt.backbones.frames import Frame, WeightsGuard, current
from xadapt.backbones.protocol import Attachable
from xadapt.injection.attachment import embedding_table, projects_positions
from xadapt.injection.row_groups import ALL, Rows, split_by_rows
from xadapt.modules.hooks import BELOW, EMBEDDED, STATES, AdapterHook, CapturedInput, SiteInputs

_INSTALLED: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()
_LOCK = threading.Lock()


def install(
    encoder: Attachable,
    sites: Sequence[SitePoint],
    captures: Sequence[CapturedInput],
    splits: Sequence[str],
    apart: Sequence[AdapterHook],
) -> None:
    """Install the hooks that an adapter needs, if the encoder does not have them.

    Args:
        encoder: The frozen encoder.
        sites: The linears that the adapter acts on.
        captures: The inputs of attentions and FFNs that the adapter reads.
        splits: Paths of the attentions that must run separately for rows with different adapters.
        apart: The adapter's hooks at the embeddings and at the states after the last layer.
    """
    guard = encoder.guard
    with _LOCK:
        for site in sites:
            _once(site.module, "acts", partial(_hook_linear, guard=guard, path=site.path))
        for at in captures:
            for module in _readers(encoder, at):
                _once(module, f"keeps {at}", partial(_hook_input, guard=guard, at=at))
        for path in splits:
            attention = encoder.model.get_submodule(path)
            _once(attention, "splits", partial(split_by_rows, guard=guard, path=path))
        for hook in apart:
            if hook.site == STATES:
                _once(_last(encoder), "states", partial(_hook_states, guard=guard))
            else:
                _install_embeddings(encoder, hook)


def embedded_apart(encoder: Attachable, hook: AdapterHook) -> bool:
    """Whether a hook acts on a block around the table of word embeddings."""
    return hook.site == EMBEDDED and bool(encoder.family.embeddings)


def _last(encoder: Attachable) -> nn.Module:
    """Find the module whose output is the encoder's: the final norm, or the last layer."""
    family = encoder.family
    last = family.final_norm or family.block(encoder.model, encoder.depth - 1)
    return encoder.model.get_submodule(last)


def _once(module: nn.Module, name: str, hook: Callable[[nn.Module], None]) -> None:
    there = _INSTALLED.setdefault(module, set())
    if name not in there:
        there.add(name)
        hook(module)


def _readers(encoder: Attachable, at: CapturedInput) -> set[nn.Module]:
    """Find the modules that get the input of a layer's attention or FFN first."""
    layer, reads = at
    if reads == "attn_in" and projects_positions(encoder):
        # The attention may run on groups of rows separately; its layer runs on all rows together.
        return {encoder.model.get_submodule(encoder.family.block(encoder.model, layer))}
    names = ("q", "k", "v") if reads == "attn_in" else ("ffn_in",)
    return {site.module for name in names for site in encoder.sites(layer, name)}


def _hook_linear(module: nn.Module, guard: WeightsGuard, path: str) -> None:
    def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        frame = current(guard)
        return None if frame is None else _at_linear(frame, path, inputs[0], output)

    module.register_forward_hook(add)


def _hook_input(module: nn.Module, guard: WeightsGuard, at: CapturedInput) -> None:
    def keep(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        frame = current(guard)
        if frame is not None and at in frame.activation.captures:
            frame.inputs[at] = given[0] if given else named["hidden_states"]

    module.register_forward_pre_hook(keep, with_kwargs=True)


def _install_embeddings(encoder: Attachable, hook: AdapterHook) -> None:
    guard, table = encoder.guard, embedding_table(encoder)
    if embedded_apart(encoder, hook):
        block = encoder.model.get_submodule(encoder.family.embeddings)
        _once(block, "acts", partial(_hook_block, guard=guard))
        return
    size = table.num_embeddings
    if hook.reads == "ids":  # only such a module has vectors for ids beyond the table
        _once(table, "ids", partial(_hook_ids, guard=guard, size=size))
    _once(table, "acts", partial(_hook_table, guard=guard, size=size))


def _hook_block(module: nn.Module, guard: WeightsGuard) -> None:
    def change(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
        frame = current(guard)
        if frame is None:
            return None
        for adapter, rows in frame.activation.groups:
            for hook in adapter.embedded:
                output = _changed(frame, hook, rows, output)
        return output

    module.register_forward_hook(change)


def _hook_states(module: nn.Module, guard: WeightsGuard) -> None:
    def change(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        frame = current(guard)
        if frame is None:
            return None
        states = output[0] if isinstance(output, tuple) else output
        for adapter, rows in frame.activation.groups:
            for hook in adapter.states:
                here = _with_inputs(frame, hook, SiteInputs(hook.layer, states, states))
                states = _added(states, rows, hook.fn(_given(hook, here, rows)).to(states.dtype))
        return (states, *output[1:]) if isinstance(output, tuple) else states

    module.register_forward_hook(change)


def _hook_ids(module: nn.Module, guard: WeightsGuard, size: int) -> None:
    def keep_inside(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        frame = current(guard)
        able = [] if frame is None else [g for g in frame.activation.groups if g[0].reads_ids]
        if frame is None or not able:
            return None
        frame.ids = inputs[0]
        inside = inputs[0].clone()
        for _, rows in able:
            own = inside[rows]
            inside[rows] = own.where(own < size, 0)
        return inside, *inputs[1:]

    module.register_forward_pre_hook(keep_inside)


def _hook_table(module: nn.Module, guard: WeightsGuard, size: int) -> None:
    def add(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
        frame = current(guard)
        if frame is None:
            return None
        ids = frame.ids
        if ids is not None:
            output = output.where((ids < size).unsqueeze(-1), output.new_zeros(()))
        for adapter, rows in frame.activation.groups:
            for hook in adapter.table:
                if hook.reads == "ids":
                    assert ids is not None
                    output = _added(output, rows, hook.fn(ids[rows]).to(output.dtype))
                else:
                    output = _changed(frame, hook, rows, output, inputs[0] if ids is None else ids)
        return output

    module.register_forward_hook(add)


def _changed(
    frame: Frame, hook: AdapterHook, rows: Rows, output: Tensor, ids: Tensor | None = None
) -> Tensor:
    """Add a hook's output to the embeddings."""
    source = _given(hook, SiteInputs(BELOW, output, output, ids=ids), rows)
    delta = hook.fn(source).to(output.dtype)
    if hook.site == EMBEDDED:
        # DeBERTa's convolution reads padding, which the base keeps at zero.
        delta = delta * frame.mask[rows].unsqueeze(-1).to(delta.dtype)
    return _added(output, rows, delta)


def _at_linear(frame: Frame, path: str, x: Tensor, y: Tensor) -> Tensor:
    """Add the outputs of all adapters of the forward to the output of a linear."""
    for adapter, rows in frame.activation.groups:
        for hook, site in adapter.at.get(path, ()):
            y = _with_effect(frame, hook, site, rows, x, y)
    sums = frame.activation.sums
    return y if sums is None else sums.added(path, x, y)


def _with_effect(
    frame: Frame, hook: AdapterHook, site: SitePoint, rows: Rows, x: Tensor, y: Tensor
) -> Tensor:
    whole = site.stop - site.start == y.shape[-1]
    here = SiteInputs(hook.layer, x, y if whole else y[..., site.start : site.stop])
    if hook.reads == "here" or hook.remembered:
        here = _with_inputs(frame, hook, here, site)
    forward_add = getattr(hook.fn, "forward_add", None)
    if forward_add and rows is ALL and whole:
        added: Tensor = forward_add(here.read(hook.reads), y)
        return added
    delta = hook.fn(_given(hook, here, rows)).to(y.dtype)
    if delta.shape[-1] != y.shape[-1]:
        delta = F.pad(delta, (site.start, y.shape[-1] - site.stop))
    return _added(y, rows, delta)


def _with_inputs(
    frame: Frame, hook: AdapterHook, here: SiteInputs, site: SitePoint | None = None
) -> SiteInputs:
    """Add the captured inputs, the mask and the norm that the hook reads.

    Where attention is split by rows, both are those of the current group.
    """
    seen = slice(None) if frame.group is None else frame.group
    inputs = {at: frame.inputs[at][seen] for at in hook.remembered}
    return replace(
        here, inputs=inputs, mask=frame.mask[seen], norm=None if site is None else site.norm
    )


def _given(hook: AdapterHook, here: SiteInputs, rows: Rows) -> Any:
    return here.of(rows) if hook.reads == "here" else here.read(hook.reads)[rows]


def _added(y: Tensor, rows: Rows, delta: Tensor) -> Tensor:
    return y.index_add(0, rows, delta) if isinstance(rows, Tensor) else y + delta
