"""Reading a base's sentence-transformers files: its pooling, its prompts, its maximum length.

The files are ``modules.json``, ``1_Pooling/config.json``, ``2_Dense``,
``sentence_bert_config.json`` and ``config_sentence_transformers.json``, in the layouts that
sentence-transformers 2 to 6 write. A base without these files gets the masked mean. A base that is
evaluated without its own pooling or prompt shows false gains, so unsupported settings are refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from xadapt.backbones.bases import Base
from xadapt.backbones.encoder.pooling import ACTIVATIONS, Dense, Pooling, check_modes
from xadapt.core.errors import UserError
from xadapt.core.files import read_json, sha256_file
from xadapt.functional.similarity import NAMES

# In the order in which sentence-transformers concatenates them in its older layout.
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_STEP_PATH = re.compile(r"\w[\w.-]*", re.ASCII)
_VECTOR = "sentence_embedding"


def read(base: Base) -> Pooling:
    """Read the pooling of a base from its sentence-transformers files.

    Raises:
        UserError: If a file is broken, or contains a step that is not supported.
    """
    steps = _json(base, "modules.json", list)
    if steps is None:
        return Pooling()
    found: dict[str, Any] = {"dense": (), "normalise": False}
    for step in steps:
        _read_step(base, step, found)
    said = _json(base, "config_sentence_transformers.json", dict) or {}
    prompts = {str(k): str(v) for k, v in (said.get("prompts") or {}).items()}
    default = said.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise UserError(
            f"the default prompt {default!r} is not among the prompts",
            where=f"{base.spec}/config_sentence_transformers.json",
        )
    return Pooling(
        prompts=prompts,
        prompt=prompts.get(default, "") if default is not None else "",
        source="sentence-transformers",
        **found,
    )


def similarity_name(base: Base) -> str:
    """Read the similarity that a base was made for: ``cosine`` if its files name none.

    Raises:
        UserError: If the file is broken, or names a similarity that is not supported.
    """
    said = _json(base, "config_sentence_transformers.json", dict) or {}
    name = said.get("similarity_fn_name") or NAMES[0]
    if name not in NAMES:
        where = f"{base.spec}/config_sentence_transformers.json"
        raise UserError(f"similarity {name!r} is not supported", where=where)
    return str(name)


def load_dense(base: Base, pooling: Pooling) -> nn.Sequential:
    """Load the dense layers of a base, frozen, in float32; the result is empty if there are none.

    Raises:
        UserError: If the weights are not safetensors, or don't fit.
    """
    steps: list[nn.Module] = []
    for dense in pooling.dense:
        linear = nn.Linear(dense.in_features, dense.out_features, bias=dense.bias)
        path = _dense_weights(base, dense.path)
        try:
            weights = {k.removeprefix("linear."): v.float() for k, v in load_file(path).items()}
            linear.load_state_dict(weights)
        except (RuntimeError, SafetensorError) as error:
            raise UserError(
                f"the dense layer's weights don't fit ({error})", where=f"{base.spec}/{dense.path}"
            ) from None
        steps += [linear, ACTIVATIONS[dense.activation]()]
    return nn.Sequential(*steps).requires_grad_(False).eval()


def _read_step(base: Base, step: Any, found: dict[str, Any]) -> None:
    """Add the settings of one entry of ``modules.json`` to ``found``."""
    where = f"{base.spec}/modules.json"
    if not isinstance(step, dict) or not isinstance(step.get("type"), str):
        raise UserError("an entry has no type", where=where)
    kind, path = step["type"].rpartition(".")[2], str(step.get("path", ""))
    if path and not _STEP_PATH.fullmatch(path):
        raise UserError(f"an entry's path is {path!r}", where=where)
    if found["normalise"] and kind != "Dropout":
        raise UserError(f"{kind} after Normalize is not supported", where=where)
    if kind == "Transformer":
        found.update(_read_transformer(base, path))
    elif kind == "Pooling":
        found.update(_read_pooling(base, path))
    elif kind == "Dense":
        found["dense"] = (*found["dense"], _read_dense(base, path))
    elif kind == "Normalize":
        found["normalise"] = True
    elif kind != "Dropout":
        raise UserError(f"a step of kind {kind!r} after the encoder is not supported", where=where)


def _read_transformer(base: Base, path: str) -> dict[str, Any]:
    if path:
        raise UserError(
            f"the encoder lies in {path!r} inside the base",
            where=f"{base.spec}/modules.json",
            todo="Name that folder as the base",
        )
    said = _json(base, "sentence_bert_config.json", dict) or {}
    length = said.get("max_seq_length")
    if length is not None and (not isinstance(length, int) or length < 1):
        raise UserError(
            f"max_seq_length is {length!r}", where=f"{base.spec}/sentence_bert_config.json"
        )
    return {"max_length": length, "lower": bool(said.get("do_lower_case", False))}


def _read_pooling(base: Base, path: str) -> dict[str, Any]:
    where = f"{base.spec}/{path}/config.json"
    said = _json(base, f"{path}/config.json", dict)
    if said is None:
        raise UserError("modules.json names this file, and it is not there", where=where)
    mode = said.get("pooling_mode")
    if mode is None:
        # Without any flag, sentence-transformers uses the mean.
        modes = tuple(name for flag, name in _FLAGS.items() if said.get(flag)) or ("mean",)
    else:
        modes = (mode,) if isinstance(mode, str) else tuple(mode)
    check_modes(modes, where)
    return {"modes": modes, "include_prompt": bool(said.get("include_prompt", True))}


def _read_dense(base: Base, path: str) -> Dense:
    where = f"{base.spec}/{path}/config.json"
    said = _json(base, f"{path}/config.json", dict)
    if said is None:
        raise UserError("modules.json names this file, and it is not there", where=where)
    name = str(said.get("activation_function", "torch.nn.modules.activation.Tanh"))
    package, _, activation = name.rpartition(".")
    if not package.startswith("torch.nn.modules") or activation not in ACTIVATIONS:
        raise UserError(f"the activation {name!r} is not supported", where=where)
    on_vector = all(
        said.get(key) in (None, _VECTOR) for key in ("module_input_name", "module_output_name")
    )
    if said.get("use_residual") or not on_vector:
        raise UserError(
            "a dense layer with a residual or over tokens is not supported", where=where
        )
    sizes = said.get("in_features"), said.get("out_features")
    if not all(isinstance(size, int) and 0 < size <= 1 << 20 for size in sizes):
        raise UserError(f"a dense layer of sizes {sizes}", where=where)
    weights = sha256_file(_dense_weights(base, path))
    return Dense(path, *sizes, bool(said.get("bias", True)), activation, weights)  # type: ignore[arg-type]


def _dense_weights(base: Base, path: str) -> Path:
    weights = base.file(f"{path}/model.safetensors")
    if weights is None:
        raise UserError(
            "the dense layer has no model.safetensors",
            where=f"{base.spec}/{path}",
            todo="Load and save the base once with a recent sentence-transformers",
        )
    return weights


def _json(base: Base, name: str, kind: type) -> Any:
    path = base.file(name)
    if path is None:
        return None
    value = read_json(path)
    if not isinstance(value, kind):
        raise UserError(f"this is no JSON {kind.__name__}", where=f"{base.spec}/{name}")
    return value
