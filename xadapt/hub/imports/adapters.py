"""Bottleneck adapters and LoRAs of the library adapters (AdapterHub), read as modules of xadapt.

Taken exactly: the configurations of Pfeiffer (``seq_bn``), Houlsby (``double_seq_bn``) and He
(``par_bn``) and what lies between them, with NICE maps or without, and LoRA on q, k, v and the
FFN; adapters of older versions under their older names. Refused: all that adapters has and xadapt
has not. The source is the code of adapters 1.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub import layouts
from xadapt.hub.imports.adapters_head import read_head
from xadapt.hub.imports.files import CONFIG, Folder, Imported, refuse_unknown, require_shapes
from xadapt.hub.imports.updates import Update, lora_of
from xadapt.injection.attachment import model_shape
from xadapt.modules.bottleneck import Bottleneck, BottleneckOptions
from xadapt.modules.hooks import Place
from xadapt.modules.lora import LoRAOptions

LIBRARY = "adapters"
WEIGHTS = ("adapter.safetensors", "pytorch_adapter.bin")
ABOUT = ("name", "config", "config_id", "model_type", "model_class", "model_name", "hidden_size",
         "version", "type", "hash", "prediction_heads")  # fmt: skip
OLD_NAMES = {
    "attention_text_task_adapters": "adapters",
    "attention_text_lang_adapters": "adapters",
    "layer_text_task_adapters": "adapters",
    "layer_text_lang_adapters": "adapters",
    "invertible_lang_adapters": "invertible_adapters",
}
"""Parts of tensors' names in adapters of older versions, as adapters itself renames them."""
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "silu", "silu": "silu"}
BEFORE_VERSIONS = {"gelu": "gelu_new", "gelu_orig": "gelu"}
"""What a non-linearity of a folder without a version is called now."""
FIXED = {
    "original_ln_after": True,
    "residual_before_ln": True,
    "adapter_residual_before_ln": False,
    "ln_before": False,
    "ln_after": False,
    "use_gating": False,
    "phm_layer": False,
    "cross_adapter": False,
}
"""Settings of a bottleneck with the one value that xadapt has."""
INERT = ("architecture", "init_weights", "init_weights_seed", "dropout", "stochastic_depth",
         "phm_dim", "phm_c_init", "phm_init_range", "learn_phm", "hypercomplex_nonlinearity",
         "phm_rank", "phm_bias", "shared_phm_rule", "factorized_phm_rule", "shared_W_phm",
         "factorized_phm_W", "attention_type", "new_attention_norm", "dtype")  # fmt: skip
"""Settings that change nothing in a trained adapter, or nothing without those refused above."""
BOTTLENECK = ("mh_adapter", "output_adapter", "reduction_factor", "non_linearity", "is_parallel",
              "scaling", "original_ln_before", "inv_adapter", "inv_adapter_reduction_factor",
              "leave_out")  # fmt: skip
LORA = ("selfattn_lora", "intermediate_lora", "output_lora", "leave_out", "r", "alpha",
        "attn_matrices", "composition_mode")  # fmt: skip
_SCALED = (1, 1, 0)
"""The first version that scales a LoRA by alpha."""


def read_adapters(
    folder: Folder, said: Mapping[str, Any], encoder: Encoder, labels: list[str] | None = None
) -> Imported:
    """Read an adapter that the library adapters saved.

    Args:
        folder: The folder.
        said: Its settings.
        encoder: The base.
        labels: Must be ``None``: the folder names the labels of its head itself.

    Raises:
        UserError: If it is malformed, does not fit the base, or is of a kind or with a setting that
            xadapt has not.
    """
    where = str(folder.path)
    if labels is not None:
        raise UserError("an adapter names the labels of its head itself", where="--labels")
    config = said.get("config")
    if not isinstance(config, dict):
        raise UserError(f"{CONFIG} holds no settings of an adapter under 'config'", where=where)
    refuse_unknown(said, ABOUT, where, LIBRARY)
    _require_base(said, encoder, where)
    name = said.get("name")
    if not isinstance(name, str) or not name or len(name) > 200:
        raise UserError("the adapter has no name", where=where)
    kind = config.get("architecture")
    if kind not in (None, "lora"):
        raise UserError(
            f"this is an adapter of kind {kind!r}, and bottleneck adapters and LoRAs alone can be "
            "imported",
            where=where,
        )
    (_require_lora if kind == "lora" else _require_bottleneck)(config, where)
    tensors = folder.tensors(WEIGHTS)
    if not tensors:
        raise UserError(f"the folder has no {WEIGHTS[0]}", where=where)
    tensors = {_renamed(key): value.float() for key, value in tensors.items()}
    read = _lora if kind == "lora" else _bottleneck
    module = read(config, said, tensors, encoder, name, where)
    head, notes = read_head(folder, name, encoder)
    version = str(said.get("version") or "").removeprefix("adapters.") or None
    return Imported(
        module,
        LIBRARY,
        version[:60] if version else None,
        name=name,
        base=said["model_name"] if isinstance(said.get("model_name"), str) else None,
        head=head,
        notes=notes,
        settings=said,
        tensors=tensors,
    )


def _renamed(key: str) -> str:
    for old, new in OLD_NAMES.items():
        key = key.replace(old, new)
    return key


def _require_base(said: Mapping[str, Any], encoder: Encoder, where: str) -> None:
    own = str(encoder.model.config.model_type)  # type: ignore[union-attr]
    given = said.get("model_type")
    if own not in layouts.ADAPTERS_TYPES:
        raise UserError(f"adapters has no encoder of type {own}", where=where)
    if given is not None and given != own:
        raise UserError(
            f"this adapter was trained on a base of type {str(given)[:60]!r}, not {own!r}",
            where=where,
            todo="Name the base that it was trained on",
        )
    width = said.get("hidden_size")
    if width is not None and width != encoder.width:
        raise UserError(
            f"this adapter was trained on a base of width {str(width)[:20]}, not {encoder.width}",
            where=where,
            todo="Name the base that it was trained on",
        )


def _layers(config: Mapping[str, Any], encoder: Encoder, where: str) -> list[int]:
    """Return the layers that are not left out."""
    out = config.get("leave_out") or []
    if not isinstance(out, list) or not all(type(number) is int for number in out):
        raise UserError("leave_out is no list of layers", where=where)
    left = [layer for layer in range(encoder.depth) if layer not in out]
    if not left:
        raise UserError("the adapter leaves out all layers of this base", where=where)
    return left


def _flag(config: Mapping[str, Any], key: str, default: bool, where: str) -> bool:
    value = config.get(key, default)
    if type(value) is not bool:
        raise UserError(f"{key} is {str(value)[:60]!r}, neither true nor false", where=where)
    return value


def _positive(value: Any, key: str, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
        raise UserError(
            f"{key} is {str(value)[:60]!r}, and xadapt has a number above 0 there", where=where
        )
    return float(value)


def _require_bottleneck(config: Mapping[str, Any], where: str) -> None:
    """Refuse settings of a bottleneck that xadapt has not."""
    for key, value in FIXED.items():
        if config.get(key, value) != value or type(config.get(key, value)) is not bool:
            raise UserError(
                f"{key} is {str(config[key])[:60]}, and xadapt's bottleneck has {value}",
                where=where,
            )
    refuse_unknown(config, (*FIXED, *INERT, *BOTTLENECK), where, LIBRARY)


def _bottleneck(
    config: Mapping[str, Any],
    said: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    encoder: Encoder,
    name: str,
    where: str,
) -> Bottleneck:
    layers = _layers(config, encoder, where)
    options = _options(config, said, tensors, encoder, name, layers, where)
    at = layouts.places(encoder, options)
    prefix = str(encoder.model.base_model_prefix)
    model_type = str(encoder.model.config.model_type)  # type: ignore[union-attr]
    maps = options.invertible is not None
    keys = layouts.adapters_keys("bottleneck", name, prefix, model_type, at, maps)
    try:
        module = Bottleneck(options, model_shape(encoder))
    except ValueError as error:
        raise UserError(str(error), where=where) from None
    values = module.state_dict()
    present = {own: theirs for own, theirs in keys.items() if _layer_of(own) in (None, *layers)}
    wanted = {theirs: tuple(values[own].shape) for own, theirs in present.items()}
    require_shapes(tensors, wanted, where)
    with torch.no_grad():
        for own, value in values.items():
            if own in present:
                value.copy_(tensors[present[own]])
            elif own in keys and ".up." in own:
                value.zero_()  # a layer between others that is left out adds nothing
    return module


def _layer_of(own: str) -> int | None:
    found = re.match(r"layers\.(\d+)\.", own)
    return int(found[1]) if found else None


def _options(
    config: Mapping[str, Any],
    said: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    encoder: Encoder,
    name: str,
    layers: Sequence[int],
    where: str,
) -> BottleneckOptions:
    attention = _flag(config, "mh_adapter", False, where)
    ffn = _flag(config, "output_adapter", False, where)
    if not attention and not ffn:
        raise UserError("the adapter is at neither attention nor FFN", where=where)
    parallel = _flag(config, "is_parallel", False, where)
    normed = _flag(config, "original_ln_before", False, where)
    t5 = str(encoder.model.config.model_type) in ("t5", "mt5")  # type: ignore[union-attr]
    if parallel and t5:
        raise UserError(
            "adapters feeds a parallel bottleneck of T5 the states before their norm, and xadapt "
            "those behind it",
            where=where,
        )
    span = (layers[0], layers[-1] + 1)
    mapped = _mapped(config, said, tensors, name, where)
    return BottleneckOptions(
        width=_width(tensors, "adapter_down.0.weight", "width", where),
        after="both" if attention and ffn else "attention" if attention else "ffn",
        form="parallel" if parallel else "pfeiffer" if normed else "sequential",
        activation=_activation(config, said, where),  # type: ignore[arg-type]
        scaling=_positive(config.get("scaling", 1.0), "scaling", where),
        invertible="nice" if mapped else None,
        invertible_width=_width(tensors, ".0.weight", "map", where, f"invertible_adapters.{name}.")
        if mapped
        else None,
        layers="all" if span == (0, encoder.depth) else span,
    )


def _mapped(
    config: Mapping[str, Any],
    said: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    name: str,
    where: str,
) -> bool:
    """Whether the adapter has an invertible map."""
    if config.get("invertible_adapter"):
        raise UserError(
            "its invertible map is described in a form that adapters no longer reads", where=where
        )
    kind = config.get("inv_adapter")
    there = any(f"invertible_adapters.{name}." in key for key in tensors)
    if kind not in (None, "nice"):
        reason = "splits tokens where it should split features" if kind == "glow" else "is unknown"
        raise UserError(f"its invertible map {str(kind)[:60]!r} {reason}", where=where)
    # as in adapters: such a task adapter of an older version names a map that it never had
    return kind == "nice" and (there or said.get("type") != "text_task")


def _activation(config: Mapping[str, Any], said: Mapping[str, Any], where: str) -> str:
    given = config.get("non_linearity")
    name = given.lower() if isinstance(given, str) else str(given)
    name = BEFORE_VERSIONS.get(name, name) if "version" not in said else name
    if name not in ACTIVATIONS:
        raise UserError(
            f"its non-linearity is {str(name)[:60]!r}, and xadapt has {', '.join(ACTIVATIONS)}",
            where=where,
        )
    return ACTIVATIONS[name]


def _width(tensors: Mapping[str, Tensor], end: str, what: str, where: str, inside: str = "") -> int:
    """Return the number of rows that all tensors of a kind of name have."""
    sizes = {
        len(value)
        for key, value in tensors.items()
        if key.endswith(end) and inside in key and value.dim() == 2
    }
    if len(sizes) != 1:
        found = ", ".join(map(str, sorted(sizes))) or "none"
        raise UserError(
            f"all layers of a bottleneck of xadapt have one {what}, and here are {found}",
            where=where,
        )
    return max(sizes.pop(), 1)


def _require_lora(config: Mapping[str, Any], where: str) -> None:
    """Refuse settings of a LoRA that xadapt has not."""
    refused = {
        "use_dora": "DoRA also scales each linear by the norm of its weights",
        "use_gating": "a gate weighs what it adds",
        "vera_d": "VeRA shares its matrices",
        "vera_b": "VeRA shares its matrices",
    }
    for key, reason in refused.items():
        if config.get(key) not in (None, False):
            raise UserError(f"{key} is set: {reason}, which xadapt's LoRA can't", where=where)
    if config.get("composition_mode", "add") != "add":
        raise UserError(
            f"composition_mode is {str(config['composition_mode'])[:60]!r}: (IA)^3 scales what a "
            "LoRA adds to",
            where=where,
        )
    refuse_unknown(config, (*LORA, *INERT, *refused), where, LIBRARY)


def _lora(
    config: Mapping[str, Any],
    said: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    encoder: Encoder,
    name: str,
    where: str,
) -> Any:
    rank = config.get("r", 8)
    if type(rank) is not int or rank < 1:
        raise UserError(f"r is {str(rank)[:60]!r}, which is no rank", where=where)
    alpha = _positive(config.get("alpha", 8), "alpha", where)
    if _scaled_wrongly(said):
        alpha = float(rank)  # as adapters has it: it was trained without the factor
    sites = _lora_sites(config, where)
    layers = _layers(config, encoder, where)
    at = [
        place
        for place in layouts.places(encoder, LoRAOptions(sites=sites))
        if place.layer in layers and not place.point
    ]
    prefix = str(encoder.model.base_model_prefix)
    keys = layouts.adapters_keys("lora", name, prefix, "", at)
    wanted: dict[str, tuple[int, ...]] = {}
    shape = model_shape(encoder)
    for place in at:
        inside, out = shape.sizes[place.layer, place.site, place.point]
        wanted[keys[f"{place.key}.A"]] = (rank, inside)
        wanted[keys[f"{place.key}.B"]] = (out, rank)
    require_shapes(tensors, wanted, where)
    updates: dict[Place, Update] = {
        (place.layer, place.site, place.point): Update(
            tensors[keys[f"{place.key}.A"]], tensors[keys[f"{place.key}.B"]], alpha / rank
        )
        for place in at
    }
    return lora_of(updates, shape)


def _lora_sites(config: Mapping[str, Any], where: str) -> tuple[str, ...]:
    matrices = config.get("attn_matrices", ["q", "v"])
    if not isinstance(matrices, list) or not set(map(str, matrices)) <= {"q", "k", "v"}:
        raise UserError("attn_matrices is no list of q, k and v", where=where)
    attention = _flag(config, "selfattn_lora", True, where)
    sites = [site for site in ("q", "k", "v") if attention and site in matrices]
    sites += ["ffn_in"] * _flag(config, "intermediate_lora", False, where)
    sites += ["ffn_out"] * _flag(config, "output_lora", False, where)
    if not sites:
        raise UserError("the LoRA acts on nothing", where=where)
    return tuple(sites)


def _scaled_wrongly(said: Mapping[str, Any]) -> bool:
    """Whether a version of adapters wrote the LoRA that did not scale by alpha (before 1.1.0)."""
    found = re.match(r"adapters\.(\d+)\.(\d+)\.(\d+)", str(said.get("version") or ""))
    return found is not None and tuple(map(int, found.groups())) < _SCALED
