"""Folder layouts of other libraries as data: their keys for each of xadapt's tensors.

A `Place` is the location of one linear site of the module in the plain transformers model. Each
layout is a pair of functions, one for each direction. The sources are the code of PEFT 0.21 and
adapters 1.3. `holders` returns, before anything is written, the libraries that can hold a module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.families import SitePoint
from xadapt.backbones.protocol import Attachable
from xadapt.modules import bottleneck, lora
from xadapt.modules.hooks import ModuleOptions

PEFT_PREFIX = "base_model.model."
ADAPTERS_TYPES = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2", "t5", "mt5")
ADAPTERS_SITES = ("q", "k", "v", "ffn_in", "ffn_out")

# Suffix of a bottleneck's path by adapters' own name of the model: the path of the layer's linear
# is cut at `layer N` and the suffix is added. Source: folders that adapters 1.3.0 saved.
BOTTLENECK_AT = {
    "bert": {"attn_out": "attention.output", "ffn_out": "output"},
    "roberta": {"attn_out": "attention.output", "ffn_out": "output"},
    "xlm-roberta": {"attn_out": "attention.output", "ffn_out": "output"},
    "deberta-v2": {"attn_out": "attention.output", "ffn_out": "output"},
    "distilbert": {"attn_out": "attention_adapters", "ffn_out": "output_adapters"},
    "t5": {"attn_out": "layer.0", "ffn_out": "layer.1"},
    "mt5": {"attn_out": "layer.0", "ffn_out": "layer.1"},
}
NARROW = {
    "down.weight": "adapter_down.0.weight",
    "down.bias": "adapter_down.0.bias",
    "up.weight": "adapter_up.weight",
    "up.bias": "adapter_up.bias",
}


@dataclass(frozen=True)
class Place:
    """One linear site that a module acts on.

    Attributes:
        layer: Index of the layer.
        site: Name of the site, such as ``q``.
        point: Index of the linear in the site.
        path: Path of the linear in the model ``AutoModel.from_pretrained(base)`` gives.
        start: First output feature that belongs to the site.
        stop: One past the last output feature of the site.
        width: Number of all output features of the linear. It is more than ``stop - start`` in a
            fused linear.
    """

    layer: int
    site: str
    point: int
    path: str
    start: int
    stop: int
    width: int

    @property
    def key(self) -> str:
        """The key of the tensors of a LoRA at this place in xadapt's own file."""
        return f"layers.{self.layer}.{self.site}.{self.point}"

    @property
    def fused(self) -> bool:
        """Whether the linear also computes other outputs than this site."""
        return self.stop - self.start != self.width


def places(encoder: Attachable, options: ModuleOptions) -> list[Place]:
    """List every place that a LoRA or bottleneck with these options acts on, in layer order."""
    if isinstance(options, lora.Options):
        sites: tuple[str, ...] = options.sites
    elif isinstance(options, bottleneck.Options):
        sites = bottleneck.SITES[options.after]
    else:
        return []
    return [
        Place(layer, site, at, encoder.family.auto_path(p.path), p.start, p.stop, _width(p))
        for layer in options.span(encoder.depth)
        for site in sites
        for at, p in enumerate(encoder.sites(layer, site))
    ]


def holders(
    kind: str, options: ModuleOptions, model_type: str, at: Iterable[Place]
) -> dict[str, str | None]:
    """Find the libraries that can hold a module exactly.

    Args:
        kind: Kind of the module.
        options: Options of the module.
        model_type: ``config.model_type`` of the base.
        at: Places of the module.

    Returns:
        ``None`` for each of ``adapters`` and ``peft`` that can hold the module; otherwise the
        reason why not.
    """
    return {
        "adapters": _adapters_refuses(kind, options, model_type, list(at)),
        "peft": None if kind == "lora" else f"peft has no module of kind {kind!r}",
    }


def _adapters_refuses(
    kind: str, options: ModuleOptions, model_type: str, at: list[Place]
) -> str | None:
    if model_type == "modernbert":
        return (
            "adapters has no AutoAdapterModel for modernbert, and its adapters.init adds a random "
            "bias to the base's fused query-key-value projection"
        )
    if model_type not in ADAPTERS_TYPES:
        return f"adapters has no AutoAdapterModel with an encoder for {model_type}"
    if isinstance(options, lora.Options):
        return _adapters_refuses_lora(options, at)
    if isinstance(options, bottleneck.Options):
        return _adapters_refuses_bottleneck(options, model_type)
    return f"adapters has no module of kind {kind!r}"


def _adapters_refuses_bottleneck(options: bottleneck.Options, model_type: str) -> str | None:
    t5 = model_type in ("t5", "mt5")
    if options.form == "parallel" and t5:
        return "adapters feeds a parallel bottleneck of T5 the states before their norm"
    if options.invertible == "glow":
        return "adapters splits the tokens of a Glow adapter where it should split the features"
    if options.invertible and t5:
        return "an invertible adapter of T5 was not tried in adapters"
    return None


def _adapters_refuses_lora(options: lora.Options, at: list[Place]) -> str | None:
    other = sorted(set(options.sites) - set(ADAPTERS_SITES))
    if other:
        return f"adapters has no LoRA on {', '.join(other)}"
    if len({(options.rank_of(s), options.alpha_of(s)) for s in options.sites}) > 1:
        return "adapters has one rank and alpha for all sites"
    if any(place.point for place in at):
        return "adapters has LoRA on one of the two inner linears of a gated FFN"
    return None


# --- LoRA <-> peft ---------------------------------------------------------------------------


def lora_to_peft(
    tensors: Mapping[str, Tensor], at: list[Place], options: lora.Options, inside: str = ""
) -> dict[str, Tensor]:
    """Rename the tensors to PEFT's names.

    Sites that share one fused linear become one LoRA of the summed rank with a block-diagonal
    ``B``. Different scales are folded into ``B``.

    Args:
        tensors: The LoRA's tensors.
        at: Its places.
        options: Its options.
        inside: Path of the plain encoder in the model that PEFT loads, with a dot at its end.

    Returns:
        ``<path>.lora_A.weight (rank, in)`` and ``<path>.lora_B.weight (out, rank)`` by PEFT key.
    """
    result = {}
    for path, group in _by_path(at):
        downs = [tensors[f"{p.key}.A"] for p in group]
        ups = [_block(tensors[f"{p.key}.B"], p) * _fold(p, group, options) for p in group]
        result[f"{PEFT_PREFIX}{inside}{path}.lora_A.weight"] = torch.cat(downs, dim=0)
        result[f"{PEFT_PREFIX}{inside}{path}.lora_B.weight"] = torch.cat(ups, dim=1)
    return result


def lora_from_peft(
    tensors: Mapping[str, Tensor], at: list[Place], options: lora.Options
) -> dict[str, Tensor]:
    """Invert `lora_to_peft`."""
    result = {}
    for path, group in _by_path(at):
        down = tensors[f"{PEFT_PREFIX}{path}.lora_A.weight"]
        up = tensors[f"{PEFT_PREFIX}{path}.lora_B.weight"]
        ranks = [options.rank_of(p.site) for p in group]
        for p, a, b in zip(group, down.split(ranks), up.split(ranks, dim=1), strict=True):
            result[f"{p.key}.A"] = a
            result[f"{p.key}.B"] = b[p.start : p.stop] / _fold(p, group, options)
    return result


def peft_keys(at: list[Place], inside: str = "") -> dict[str, str] | None:
    """Map xadapt's keys to PEFT's, or return ``None`` where a tensor of PEFT's is another one."""
    if any(place.fused for place in at) or len({p.path for p in at}) < len(at):
        return None
    return {
        f"{p.key}.{side}": f"{PEFT_PREFIX}{inside}{p.path}.lora_{side}.weight"
        for p in at
        for side in "AB"
    }


def peft_ranks(at: list[Place], options: lora.Options) -> dict[str, tuple[int, float]]:
    """Return ``(rank, alpha)`` of the LoRA on each linear path, as PEFT counts them."""
    result = {}
    for path, group in _by_path(at):
        rank = sum(options.rank_of(p.site) for p in group)
        scales = {_scale(p, options) for p in group}
        result[path] = (rank, rank * scales.pop() if len(scales) == 1 else float(rank))
    return result


def peft_pattern(paths: Iterable[str]) -> str:
    """Build a regular expression for exactly these paths, in a model or its wrapper."""
    rest: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        head, number, tail = split_layer(path)
        rest.setdefault(head, {}).setdefault(tail, []).append(number)
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for head, tails in rest.items():
        for tail, numbers in tails.items():
            rows.setdefault((head, tuple(numbers)), []).append(tail)
    one_each = [
        rf"{re.escape(head)}\.(?:{'|'.join(numbers)})\.(?:{'|'.join(map(re.escape, tails))})"
        for (head, numbers), tails in rows.items()
    ]
    return rf"(?:.*\.)?(?:{'|'.join(one_each)})"


def any_layer(path: str) -> str:
    """Return a pattern for this linear in every layer."""
    head, _, tail = split_layer(path)
    return rf"{re.escape(head)}\.\d+\.{re.escape(tail)}"


def _by_path(at: list[Place]) -> list[tuple[str, list[Place]]]:
    order = sorted(at, key=lambda p: (p.layer, p.path, p.start))
    return [(path, list(group)) for path, group in groupby(order, key=lambda p: p.path)]


def _scale(place: Place, options: lora.Options) -> float:
    return options.alpha_of(place.site) / options.rank_of(place.site)


def _fold(place: Place, group: list[Place], options: lora.Options) -> float:
    alike = len({_scale(p, options) for p in group}) == 1
    return 1.0 if alike else _scale(place, options)


def _block(up: Tensor, place: Place) -> Tensor:
    if not place.fused:
        return up
    whole = up.new_zeros(place.width, up.shape[1])
    whole[place.start : place.stop] = up
    return whole


def _width(point: SitePoint) -> int:
    return int(point.module.out_features)  # type: ignore[arg-type]


def split_layer(path: str) -> tuple[str, str, str]:
    """Split the path of a linear at the number of its layer."""
    match = re.fullmatch(r"(.*?)\.(\d+)\.(.*)", path)
    assert match, f"no layer number in {path}"
    return match[1], match[2], match[3]


# --- adapters ----------------------------------------------------------------------------------


def adapters_tensors(encoder: Encoder, module: nn.Module, name: str) -> dict[str, Tensor]:
    """Return a module's tensors by the names that adapters gives them, float32 on the CPU.

    Args:
        encoder: The base.
        module: A LoRA or a bottleneck that adapters can hold.
        name: The module's name, which is part of every key.
    """
    options: Any = module.options
    keys = keys_in_adapters(encoder, options, name)
    tensors = {k: v.detach().float().cpu() for k, v in module.state_dict().items()}
    return renamed(tensors, keys)


def keys_in_adapters(encoder: Encoder, options: ModuleOptions, name: str) -> dict[str, str]:
    """Map xadapt's keys of a module to those of adapters on a base; see `adapters_keys`."""
    return adapters_keys(
        "lora" if isinstance(options, lora.Options) else "bottleneck",
        name,
        str(encoder.model.base_model_prefix),
        str(encoder.model.config.model_type),  # type: ignore[union-attr]
        places(encoder, options),
        bool(getattr(options, "invertible", None)),
    )


def adapters_keys(
    kind: str, name: str, prefix: str, model_type: str, at: list[Place], invertible: bool = False
) -> dict[str, str]:
    """Map xadapt's keys to adapters' keys, one to one.

    Args:
        kind: ``lora`` or ``bottleneck``.
        name: The module's name, which is part of every key.
        prefix: ``base_model_prefix`` of the model class.
        model_type: ``config.model_type`` of the base.
        at: The places.
        invertible: Whether the module has an invertible part.
    """
    result = {}
    for part in (
        f"{net}.{n}.{what}" for net in "FG" for n in (0, 2) for what in ("weight", "bias")
    ):
        if invertible:
            result[f"invertible.{part}"] = f"{prefix}.invertible_adapters.{name}.{part}"
    for place in at:
        if kind == "lora":
            for side in ("A", "B"):
                result[f"{place.key}.{side}"] = f"{prefix}.{place.path}.loras.{name}.lora_{side}"
            continue
        head, number, _ = split_layer(place.path)
        hung = BOTTLENECK_AT[model_type][place.site]
        for ours, theirs in NARROW.items():
            key = f"{prefix}.{head}.{number}.{hung}.adapters.{name}.{theirs}"
            result[f"layers.{place.layer}.{place.site}.{ours}"] = key
    return result


def renamed(tensors: Mapping[str, Tensor], keys: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename the tensors; every tensor must have a new name.

    Raises:
        KeyError: If a tensor has no new name.
    """
    return {keys[name]: tensor for name, tensor in tensors.items()}
