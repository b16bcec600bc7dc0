"""LoRAs of peft, read as LoRAs of xadapt.

Taken exactly: any ranks, alphas and rsLoRA scales by module, target modules as a list, as a regular
expression or as ``all-linear``, excluded modules, chosen layers, dropout, and the starts that leave
the base as it is. Refused: what is no sum of low-rank updates of this base's own linears. The
source is the code of PEFT 0.21.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.imports.files import Folder, Imported, refuse_unknown, require_shapes
from xadapt.hub.imports.updates import Update, lora_of
from xadapt.hub.layouts import PEFT_PREFIX
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import Place

LIBRARY = "peft"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
"""Values of ``init_lora_weights`` that leave the weights of the base as they are."""
REFUSED = {
    "use_dora": "DoRA also scales each linear by the norm of its weights",
    "lora_bias": "a LoRA with a bias adds more than a low-rank update",
    "trainable_token_indices": "it also changes vectors of tokens",
    "layer_replication": "it also repeats layers of the base",
    "target_parameters": "it changes parameters that are no linears",
    "use_qalora": "QALoRA averages what it reads",
    "alora_invocation_tokens": "an activated LoRA acts behind certain tokens only",
    "use_bdlora": "it is block-diagonal",
    "arrow_config": "it is a router over other LoRAs",
    "kasa_config": "KaSA also changes the base's own weights",
    "velora_config": "VeLoRA compresses what it reads",
    "monteclora_config": "MonteCLoRA draws its updates at random",
}
CHOICE = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
SCALES = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
KNOWN = (
    *CHOICE, *SCALES, *REFUSED, "peft_type", "task_type", "peft_version", "auto_mapping",
    "revision", "base_model_name_or_path", "inference_mode", "lora_dropout", "fan_in_fan_out",
    "bias", "modules_to_save", "init_lora_weights", "megatron_config", "megatron_core",
    "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size",
    "runtime_config", "ensure_weight_tying",
)  # fmt: skip
HEADS = ("classifier", "score", "qa_outputs", "pooler", "cls", "lm_head", "pre_classifier",
         "vocab_transform", "vocab_projector", "lm_predictions", "head", "decoder_lm")  # fmt: skip
"""The first names of what reads the encoder's states: it changes none of them."""

_SLOW = re.compile(r"\([^()]*[+*][^()]*\)[+*{]")
"""A repeated group with a repetition inside, which can take time without end."""


def read_peft(
    folder: Folder, said: Mapping[str, Any], encoder: Encoder, labels: list[str] | None = None
) -> Imported:
    """Read a LoRA that peft saved.

    Args:
        folder: The folder.
        said: Its settings.
        encoder: The base.
        labels: The labels of its token classifier, in order, which peft does not save.

    Raises:
        UserError: If it is no LoRA, is malformed, does not fit the base, or does anything that a
            LoRA of xadapt can't.
    """
    where = str(folder.path)
    require_plain(said, where)
    tensors = folder.tensors(WEIGHTS)
    if not tensors:
        raise UserError(f"the folder has no {WEIGHTS[0]}", where=where)
    tensors = {name.removeprefix(PEFT_PREFIX): value for name, value in tensors.items()}
    prefix = _prefix(tensors, encoder)
    own, rest = _split(tensors, encoder, prefix, where)
    notes, head = _above(rest, said, encoder, labels, where)
    updates = _updates(own, said, encoder, prefix, where)
    settings = {key: said[key] for key in (*CHOICE, *SCALES) if key in said}
    return Imported(
        lora_of(updates, model_shape(encoder)),
        LIBRARY,
        _text(said.get("peft_version")),
        base=_text(said.get("base_model_name_or_path")),
        head=head,
        notes=notes,
        settings={"peft_type": "LORA", "inference_mode": True, **settings},
        tensors={PEFT_PREFIX + name: value for name, value in own.items()},
        prefix=prefix.removesuffix("."),
    )


def require_plain(said: Mapping[str, Any], where: str) -> None:
    """Refuse settings under which the adapter is no plain LoRA on the base as it is."""
    kind = said.get("peft_type")
    if kind != "LORA":
        raise UserError(
            f"this is an adapter of peft of type {kind!r}, and LORA alone can be imported",
            where=where,
        )
    for key, reason in REFUSED.items():
        if said.get(key) not in (None, False, "", [], {}):
            raise UserError(f"{key} is set: {reason}, which xadapt's LoRA can't", where=where)
    start = said.get("init_lora_weights", True)
    if not any(start is one or (isinstance(one, str) and start == one) for one in STARTS):
        raise UserError(
            f"init_lora_weights is {start!r}: training began with another base than this one",
            where=where,
            todo="Convert it with peft: model.save_pretrained(OUT, "
            "path_initial_model_for_weight_conversion=START)",
        )
    if said.get("bias", "none") != "none":
        raise UserError(
            f"bias is {said['bias']!r}: it also changes biases of the base, which xadapt's LoRA "
            "can't",
            where=where,
        )
    if said.get("megatron_config"):
        raise UserError("it was made for Megatron's linears", where=where)
    refuse_unknown(said, KNOWN, where, LIBRARY)
    _number(said.get("r", 8), "r", where, whole=True)
    _number(said.get("lora_alpha", 8), "lora_alpha", where)
    for key in ("rank_pattern", "alpha_pattern"):
        patterns = said.get(key) or {}
        if not isinstance(patterns, dict):
            raise UserError(f"{key} is no object", where=where)
        for pattern, value in patterns.items():
            _compiled(pattern, key, where)
            _number(value, key, where, whole=key == "rank_pattern")
    _require_choice(said, where)


def _require_choice(said: Mapping[str, Any], where: str) -> None:
    for key in ("target_modules", "exclude_modules", "layers_pattern", "modules_to_save"):
        value = said.get(key)
        several = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if value is not None and not isinstance(value, str) and not several:
            raise UserError(f"{key} is neither a text nor a list of texts", where=where)
        if isinstance(value, str) and value != "all-linear" and key != "modules_to_save":
            _compiled(value, key, where)
    if not said.get("target_modules"):
        raise UserError("target_modules is missing", where=where)
    layers = said.get("layers_to_transform")
    numbers = layers if isinstance(layers, list) else [] if layers is None else [layers]
    if not all(type(number) is int for number in numbers):
        raise UserError("layers_to_transform holds something that is no layer", where=where)


def _compiled(pattern: str, key: str, where: str) -> re.Pattern[str]:
    try:
        if len(pattern) > 20_000 or _SLOW.search(pattern):
            raise re.error("it may take time without end")
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        said = f"the pattern {pattern[:60]!r} in {key} can't be used ({error})"
        raise UserError(said, where=where) from None


def _number(value: Any, key: str, where: str, whole: bool = False) -> None:
    fits = type(value) is int if whole else type(value) in (int, float)
    if not fits or not math.isfinite(value) or (whole and not 0 < value <= 2**16):
        raise UserError(f"{key} is {str(value)[:60]!r}, which is no such number", where=where)


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _prefix(tensors: Mapping[str, Tensor], encoder: Encoder) -> str:
    """Return what comes before the names of the base in the model that was trained, if anything."""
    prefix = f"{encoder.model.base_model_prefix}."
    paths = _paths(encoder)
    known = {name.split(".lora_")[0] for name in tensors}
    inside = any(name.removeprefix(prefix) in paths for name in known if name.startswith(prefix))
    return prefix if inside and not known & paths.keys() else ""


def _paths(encoder: Encoder) -> dict[str, list[tuple[Place, Any]]]:
    """Return the places of xadapt's sites at each linear of the base."""
    found: dict[str, list[tuple[Place, Any]]] = {}
    for layer in range(encoder.depth):
        for site in encoder.family.sites:
            for number, point in enumerate(encoder.sites(layer, site)):
                path = encoder.family.auto_path(point.path)
                found.setdefault(path, []).append(((layer, site, number), point))
    return found


def _split(
    tensors: Mapping[str, Tensor], encoder: Encoder, prefix: str, where: str
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of LoRAs inside the encoder, and those of what reads its states."""
    own: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    paths = _paths(encoder)
    for name, value in tensors.items():
        path = name.split(".lora_")[0]
        inner = path.removeprefix(prefix)
        if path.startswith(prefix) and inner in paths:
            own[name] = value
        elif inner.split(".")[0] in HEADS and not inner.startswith("decoder."):
            rest[name] = value
        else:
            raise UserError(
                f"the tensor {name!r} belongs to no linear of the encoder's layers, and xadapt's "
                "LoRA acts on those alone",
                where=where,
            )
    return own, rest


def _above(
    rest: Mapping[str, Tensor],
    said: Mapping[str, Any],
    encoder: Encoder,
    labels: list[str] | None,
    where: str,
) -> tuple[list[str], Head | None]:
    """Return the head of the encoder's states, if xadapt has such a head, and what is left out."""
    task = said.get("task_type")
    name, kind = {
        "TOKEN_CLS": ("classifier", "tagging"),
        "QUESTION_ANS": ("qa_outputs", "span_extraction"),
    }.get(str(task), ("", ""))
    weight, bias = rest.get(f"{name}.weight"), rest.get(f"{name}.bias")
    head = None
    left = dict(rest)
    if kind and weight is not None and bias is not None:
        named = ["start", "end"] if kind == "span_extraction" else labels
        if named is not None:
            wanted = {"weight": (len(named), encoder.width), "bias": (len(named),)}
            require_shapes({"weight": weight, "bias": bias}, wanted, f"{where} ({name})")
            head = Head(kind, named, encoder.width)
            values = {"weight": weight.float(), "bias": bias.float()}
            head.linear.load_state_dict(values)
            left = {key: value for key, value in rest.items() if key.split(".")[0] != name}
    if labels is not None and (head is None or kind != "tagging"):
        raise UserError("the folder has no token classifier that labels would name", where=where)
    parts = list(dict.fromkeys(key.split(".")[0] for key in left))
    notes = []
    for part in parts:
        why = "it reads the states and changes none"
        if kind == "tagging" and part == name:
            why = "peft does not save its labels; --labels O,B-PER,I-PER names them in order"
        elif part in ("classifier", "score", "pre_classifier"):
            why = "the head of this task in transformers has more layers than xadapt's"
        notes.append(f"{part} is left out: {why}")
    return notes, head


def _updates(
    own: Mapping[str, Tensor], said: Mapping[str, Any], encoder: Encoder, prefix: str, where: str
) -> dict[Place, Update]:
    """Return the updates of all linears, each with its rank and scale.

    Raises:
        UserError: If a tensor is missing, surplus or of another shape than the settings say.
    """
    paths = {prefix + path: points for path, points in _paths(encoder).items()}
    chosen = [path for path in paths if _targeted(path, said)]
    ranks = {path: int(_by_pattern(path, said, "rank_pattern", "r")) for path in chosen}
    wanted: dict[str, tuple[int, ...]] = {}
    for path in chosen:
        module = paths[path][0][1].module
        wanted[f"{path}.lora_A.weight"] = (ranks[path], int(module.in_features))
        wanted[f"{path}.lora_B.weight"] = (int(module.out_features), ranks[path])
    require_shapes(own, wanted, where)
    if not chosen:
        raise UserError("no linear of this base's layers is among its target_modules", where=where)
    updates = {}
    for path in chosen:
        down, up = own[f"{path}.lora_A.weight"].float(), own[f"{path}.lora_B.weight"].float()
        alpha = float(_by_pattern(path, said, "alpha_pattern", "lora_alpha"))
        rank = ranks[path]
        scale = alpha / (math.sqrt(rank) if said.get("use_rslora") else rank)
        for place, point in paths[path]:
            updates[place] = Update(down, up[point.start : point.stop], scale)
    return updates


def _by_pattern(path: str, said: Mapping[str, Any], patterns: str, otherwise: str) -> Any:
    """Return the value of the first pattern that the end of a path matches, as peft does."""
    for pattern, value in (said.get(patterns) or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            return value
    return said.get(otherwise, 8)


def _targeted(path: str, said: Mapping[str, Any]) -> bool:
    """Whether peft puts a LoRA on a linear (``check_target_module_exists``)."""
    if _named(path, said.get("exclude_modules")):
        return False
    saved = said.get("modules_to_save") or []
    saved = [saved] if isinstance(saved, str) else saved
    if any(re.match(rf"(^|.*\.){re.escape(name)}($|\..*)", path) for name in saved):
        return False
    target = said["target_modules"]
    if target == "all-linear":
        return True
    if not _named(path, target):
        return False
    layers = said.get("layers_to_transform")
    if isinstance(target, str) or path in target or layers is None or layers == []:
        return True
    patterns = said.get("layers_pattern") or []
    patterns = [patterns] if isinstance(patterns, str) else patterns
    rules = [rf"(?:^|.*?\.){pattern}\.(?P<number>\d+)\." for pattern in patterns]
    for rule in rules or [r".*?\.[^.]*\.(?P<number>\d+)\."]:
        found = re.match(rule, path)
        if found:
            number = int(found["number"])
            return number in (layers if isinstance(layers, list) else [layers])
    return False


def _named(path: str, names: Any) -> bool:
    if not names:
        return False
    if isinstance(names, str):
        return bool(re.fullmatch(names, path))
    return path in names or any(path.endswith(f".{name}") for name in names)
