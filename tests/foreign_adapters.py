"""Adapters that the real peft and the real adapters made of a tiny base, with random values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from xadapt.integrations import plain

SITES = ["query", "value", "output.dense"]


def randomise(model: nn.Module, marks: tuple[str, ...], scale: float = 0.2) -> None:
    """Give all parameters with one of these marks in their names random values."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if any(mark in name for mark in marks):
                value.copy_(scale * torch.randn(value.shape, generator=generator))


def peft_folder(path: Path, base: Path | str, loader: str = "", **config: Any) -> Path:
    """Save a LoRA of peft.

    Args:
        path: The folder to make.
        base: The base.
        loader: An auto class of transformers with a head; by default the base alone.
        config: Arguments of ``LoraConfig``.
    """
    from peft import LoraConfig, get_peft_model

    more = {"num_labels": 3} if "Classification" in loader else {}
    with plain.without_noise():
        model = (
            getattr(transformers, loader).from_pretrained(base, dtype=torch.float32, **more)
            if loader
            else plain.load(str(base))
        )
        whole = get_peft_model(model, LoraConfig(**{"r": 4, "target_modules": SITES, **config}))
        randomise(whole, ("lora_", "classifier", "qa_outputs"))
        whole.save_pretrained(str(path))
    return path


def adapters_folder(
    path: Path,
    base: Path | str,
    config: Any,
    *,
    head: dict[str, Any] | None = None,
    safe: bool = True,
) -> Path:
    """Save an adapter of the library adapters.

    Args:
        path: The folder to make.
        base: The base.
        config: A configuration of adapters.
        head: Method of the model that adds a head (``method``), and its arguments.
        safe: Whether it is saved as safetensors; otherwise pickled.
    """
    from adapters import AutoAdapterModel

    with plain.without_noise():
        model = AutoAdapterModel.from_pretrained(str(base), dtype=torch.float32)
        model.add_adapter("foreign", config=config)
        if head is not None:
            head = dict(head)
            getattr(model, head.pop("method"))("foreign", **head)
        randomise(model, ("adapters.foreign", "loras.foreign", "heads.foreign"))
        model.save_adapter(str(path), "foreign", with_head=head is not None, use_safetensors=safe)
    return path


def settings(folder: Path, **changes: Any) -> Path:
    """Change the settings of a folder; ``None`` is kept as null, ``...`` removes a key."""
    file = folder / "adapter_config.json"
    said = json.loads(file.read_text(encoding="utf-8")) | changes
    said = {key: value for key, value in said.items() if value is not ...}
    file.write_text(json.dumps(said), encoding="utf-8")
    return folder
