"""The files with which ``SentenceTransformer(folder)`` opens a folder that holds a LoRA.

sentence-transformers reads ``adapter_config.json`` and loads the base of that file with the LoRA.
sentence-transformers looks for the tokenizer in the folder itself. The entry
``tokenizer_name_or_path`` redirects this search to the base. Versions 5 and 6 were tested; both
fail without that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from xadapt.backbones.encoder.pooling import Dense, Pooling
from xadapt.core.files import write_json

TYPES = "sentence_transformers.models."
ONLY_IN_XADAPT = "xadapt.integrations.only_in_xadapt.OnlyInXadapt"
# The older layout has one flag a mode and joins them in this order.
FLAGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


NO_BASE_ID = (
    "the folder must name the base by its id on the Hub, which is not known: train with "
    "--base-id ORG/NAME"
)
"""The reason why no such folder is written of a base without an id, and what to do."""


def refuses(model_type: str) -> str | None:
    """Return the reason why sentence-transformers can't open such a module, or ``None``."""
    if model_type in ("t5", "mt5", "m2m_100"):
        # True of version 5 beside transformers 4.57; version 6 opens T5, but not M2M100.
        return "sentence-transformers opens the whole encoder-decoder, which asks for decoder input"
    return None


def write_refusal(folder: Path) -> list[str]:
    """Write the file with which sentence-transformers says that it can't load the folder.

    Without it, sentence-transformers takes adapters' settings for those of peft, and ends in a
    TypeError of peft. It imports the class that is named here, whose message says what to do.

    Returns:
        The names of the files.
    """
    step = {"idx": 0, "name": "0", "path": "", "type": ONLY_IN_XADAPT}
    write_json(folder / "modules.json", [step])
    return ["modules.json"]


def write_sentence_files(
    folder: Path,
    pooling: Pooling,
    *,
    base: str | None,
    width: int,
    max_length: int,
    dense: Mapping[str, Tensor],
) -> list[str]:
    """Write the files and return their names.

    Args:
        folder: The folder to write to.
        pooling: The base's own pooling.
        base: Hub id of the base; ``None`` where the folder is a base itself.
        width: Features of a hidden state.
        max_length: Number of tokens kept of a text.
        dense: State of the base's dense layers, ``<index>.weight`` and ``<index>.bias`` of the
            sequence of linears and activations.
    """
    steps = ["Transformer", "Pooling"] + ["Dense"] * len(pooling.dense)
    steps += ["Normalize"] * pooling.normalise
    paths = ["", *(f"{n}_{step}" for n, step in enumerate(steps[1:], 1))]
    files: dict[str, Any] = {
        "modules.json": [
            {"idx": n, "name": str(n), "path": path, "type": TYPES + step}
            for n, (path, step) in enumerate(zip(paths, steps, strict=True))
        ],
        "sentence_bert_config.json": {
            "max_seq_length": max_length,
            "do_lower_case": pooling.lower,
            **({"tokenizer_name_or_path": base} if base else {}),
        },
        "config_sentence_transformers.json": _prompts(pooling),
        "1_Pooling/config.json": _pooling(pooling, width),
    }
    names = list(files)
    for n, layer in enumerate(pooling.dense):
        path = f"{n + 2}_Dense"
        files[f"{path}/config.json"] = _dense(layer)
        names += [f"{path}/config.json", f"{path}/model.safetensors"]
    for name, content in files.items():
        write_json(folder / name, content)
    for n, _ in enumerate(pooling.dense):
        own = {k.split(".")[1]: v for k, v in dense.items() if k.split(".")[0] == str(2 * n)}
        tensors = {f"linear.{k}": v.detach().cpu().contiguous() for k, v in own.items()}
        save_file(tensors, str(folder / f"{n + 2}_Dense" / "model.safetensors"))
    return names


def _prompts(pooling: Pooling) -> dict[str, Any]:
    prompts = dict(pooling.prompts)
    default = next((name for name, text in prompts.items() if text == pooling.prompt), None)
    if default is None and pooling.prompt:
        default = "default"
        prompts[default] = pooling.prompt
    return {
        "prompts": prompts,
        "default_prompt_name": default if pooling.prompt else None,
        "similarity_fn_name": "cosine",
    }


def _pooling(pooling: Pooling, width: int) -> dict[str, Any]:
    config: dict[str, Any] = {"include_prompt": pooling.include_prompt}
    if list(pooling.modes) == [mode for mode in FLAGS if mode in pooling.modes]:
        flags = {flag: mode in pooling.modes for mode, flag in FLAGS.items()}
        return {"word_embedding_dimension": width, **flags, **config}
    return {"embedding_dimension": width, "pooling_mode": list(pooling.modes), **config}


def _dense(layer: Dense) -> dict[str, Any]:
    kind = "linear" if layer.activation == "Identity" else "activation"
    return {
        "in_features": layer.in_features,
        "out_features": layer.out_features,
        "bias": layer.bias,
        "activation_function": f"torch.nn.modules.{kind}.{layer.activation}",
    }
