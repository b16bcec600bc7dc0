"""A base with a LoRA merged into its weights: a plain model that needs no module."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.loading import load_config, load_model
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_text
from xadapt.modules.hooks import AdapterHook, hooks_of
from xadapt.modules.lora import LowRank

SENTENCE_FILES = ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json")


def write_merged(path: Path | str, encoder: Encoder, module: nn.Module | None, said: str) -> None:
    """Write the base with the module merged into its fp32 weights, its tokenizer and pooling files.

    Args:
        path: The folder to make.
        encoder: The base, which is not changed.
        module: A LoRA; ``None`` writes the bare base.
        said: Description of the weights, for the folder's README.

    Raises:
        UserError: If the module is not a LoRA, the base is only in memory, or the folder is not
            empty or can't be written.
    """
    hooks = [] if module is None else hooks_of(module)
    if any(not isinstance(hook.fn, LowRank) for hook in hooks):
        raise UserError("only LoRAs can be added into a base's weights")
    if encoder.source.kind == "memory":
        raise UserError("a base that is only in memory can't be written")
    family = encoder.family
    options = {"add_pooling_layer": False} if family.pooler else {}
    config = load_config(encoder.source)
    model, _ = load_model(encoder.source, family.loader, config, torch.float32, **options)
    inner = model.get_submodule(family.inside) if family.inside else model
    _add(encoder, inner, hooks)
    with atomic_folder(path) as folder:
        model.save_pretrained(folder)  # type: ignore[operator]
        encoder.tokenizer.save_pretrained(folder)
        _copy_sentence_files(encoder, folder)
        write_text(folder / "README.md", said)


def _add(encoder: Encoder, inner: nn.Module, hooks: Sequence[AdapterHook]) -> None:
    """Add every update to the rows of its linear."""
    for hook in hooks:
        site = encoder.sites(hook.layer, hook.site)[hook.point]
        weight = inner.get_submodule(site.path).get_parameter("weight")
        low = hook.fn
        assert isinstance(low, LowRank)
        with torch.no_grad():
            weight[site.start : site.stop] += low.scale * (low.B @ low.A).cpu()


def _copy_sentence_files(encoder: Encoder, folder: Path) -> None:
    """Copy the base's pooling files, so that sentence-transformers makes the same vectors."""
    source = encoder.source
    names = [name for name in SENTENCE_FILES if source.file(name)]
    if "modules.json" in names:
        listed = source.file("modules.json")
        assert listed is not None
        for part in json.loads(listed.read_text(encoding="utf-8")):
            below = str(part.get("path", ""))
            names += [f"{below}/{n}" for n in ("config.json", "model.safetensors") if below]
    for name in names:
        found = source.file(name)
        target = folder.joinpath(*PurePosixPath(name).parts)
        if found is not None and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
