"""The folder of a LoRA on an encoder-decoder, in the format of peft (``SEQ_2_SEQ_LM``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json
from xadapt.hub.imports.files import CONFIG, Folder, require_shapes
from xadapt.hub.imports.peft import WEIGHTS, require_plain
from xadapt.hub.layouts import PEFT_PREFIX
from xadapt.injection.seq2seq_lora import Seq2SeqLoRA, linear_sizes

TASK = "SEQ_2_SEQ_LM"
_A, _B = ".lora_A.weight", ".lora_B.weight"


def save_seq2seq_lora(folder: str | Path, module: Seq2SeqLoRA, base: str | None = None) -> None:
    """Write a module so that ``PeftModel.from_pretrained`` loads it.

    Args:
        folder: The folder to make; absent or empty.
        module: The module.
        base: Hub id of its base. A path of this machine is not stored.

    Raises:
        UserError: If the folder is not empty or can't be written.
    """
    named = None if base is None or Path(base).exists() else base
    config = {
        "peft_type": "LORA",
        "task_type": TASK,
        "base_model_name_or_path": named,
        "inference_mode": True,
        "r": module.rank,
        "lora_alpha": module.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "target_modules": list(module.paths),
    }
    tensors: dict[str, Tensor] = {}
    for path, update in module.named_updates():
        tensors[f"{PEFT_PREFIX}{path}{_A}"] = update.A.detach().cpu().contiguous()
        tensors[f"{PEFT_PREFIX}{path}{_B}"] = update.B.detach().cpu().contiguous()
    with atomic_folder(folder) as temporary:
        write_json(temporary / CONFIG, config)
        save_file(tensors, temporary / WEIGHTS[0], metadata={"format": "pt"})


def load_seq2seq_lora(folder: str | Path, seq2seq: Seq2Seq) -> Seq2SeqLoRA:
    """Load a LoRA of one rank and alpha, written by xadapt or by peft.

    Args:
        folder: A folder with ``adapter_config.json`` and ``adapter_model.safetensors``.
        seq2seq: The base.

    Raises:
        UserError: If the folder is no such LoRA, is malformed or pickled, or does not fit the base.
    """
    where = str(folder)
    opened = Folder(Path(folder))
    said = opened.settings()
    require_plain(said, where)
    _require_one_rank(said, where)
    tensors = opened.tensors(WEIGHTS)
    if not tensors:
        raise UserError(f"the folder has no {WEIGHTS[0]}", where=where)
    own = {name.removeprefix(PEFT_PREFIX): value for name, value in tensors.items()}
    known = {path for site in seq2seq.family.inside for path in seq2seq.paths(site)}
    paths = sorted({name.removesuffix(_A).removesuffix(_B) for name in own})
    stranger = next((path for path in paths if path not in known), None)
    if stranger is not None:
        raise UserError(f"the base has no linear {stranger[:80]!r}", where=where)
    sizes, rank = linear_sizes(seq2seq, paths), int(said.get("r", 8))
    wanted: dict[str, tuple[int, ...]] = {}
    for path, (ins, outs) in sizes.items():
        wanted |= {path + _A: (rank, ins), path + _B: (outs, rank)}
    require_shapes(own, wanted, where)
    alpha = float(said.get("lora_alpha", 8))
    if alpha <= 0:
        raise UserError("lora_alpha is not above 0", where=where)
    if said.get("use_rslora"):
        alpha *= rank**0.5  # alpha / sqrt(rank)
    module = Seq2SeqLoRA(sizes, rank, alpha)
    with torch.no_grad():
        for path, update in module.named_updates():
            update.A.copy_(own[path + _A])
            update.B.copy_(own[path + _B])
    return module.requires_grad_(False).to(seq2seq.device)


def _require_one_rank(said: Mapping[str, Any], where: str) -> None:
    for key in ("rank_pattern", "alpha_pattern"):
        if said.get(key):
            raise UserError(
                f"{key} gives linears different values, which is not read here",
                where=where,
                todo="Train it with one rank and one alpha",
            )
    if said.get("modules_to_save"):
        raise UserError("it also replaces whole modules of the base", where=where)
