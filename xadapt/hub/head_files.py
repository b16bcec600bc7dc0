"""The files of a task head: xadapt's file, and adapters' file, which `load_adapter` finds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from xadapt.backbones.task_class import scaled
from xadapt.heads.head import PROBLEM_TYPES, SCHEMED, Head
from xadapt.hub.manifest import HeadSpec

FILE = "head.safetensors"
ADAPTERS = ("head_config.json", "model_head.safetensors", "pytorch_model_head.bin")
# adapters' flexible models of these types have no such head, or one that reads the decoder.
NO_HEADS = ("t5", "mt5")
TYPES: dict[str, tuple[str, dict[str, Any]]] = {
    "tagging": ("tagging", {}),
    "classification": ("classification", {"use_pooler": False, "bias": True}),
    "pair_classification": ("classification", {"use_pooler": False, "bias": True}),
    "multi_label": ("multilabel_classification", {"use_pooler": False, "bias": True}),
    "pair_scoring": ("classification", {"use_pooler": False, "bias": True}),
    "candidate_ranking": ("classification", {"use_pooler": False, "bias": True}),
    "span_extraction": ("question_answering", {}),
}
"""adapters' name of each head, and the settings that only such a head has."""


def spec_of(head: Head) -> HeadSpec:
    """Return the manifest's entry for a head."""
    return HeadSpec(
        task=head.task,
        labels=list(head.labels),
        scheme=head.scheme if head.task in SCHEMED else None,
        scale=head.scale,
        sizes=head.sizes,  # type: ignore[arg-type]
        thresholds=list(head.thresholds),
        fused=head.fused,
        problem_type=PROBLEM_TYPES.get(head.task),  # type: ignore[arg-type]
        card=head.card,
    )


def write_head(folder: Path, head: Head) -> None:
    """Write xadapt's file of a head."""
    tensors = {k: v.detach().float().cpu().contiguous() for k, v in head.state_dict().items()}
    spec = spec_of(head).model_dump_json(exclude={"card"})
    save_file(tensors, str(folder / FILE), metadata={"head": spec})


def write_adapters_head(folder: Path, head: Head, config: dict[str, Any]) -> list[str]:
    """Write the files that adapters' `load_adapter` takes as the head of the adapter of this name.

    Args:
        folder: The module's folder.
        head: The head.
        config: adapters' settings of the module. The head has the same names, classes and version.

    Returns:
        Names of the files; empty where adapters has no such head.
    """
    if config["model_type"] in NO_HEADS or head.task not in TYPES:
        return []
    name, more = TYPES[head.task]
    own = {
        "head_type": name,
        "num_labels": len(head.labels),
        "layers": 1,
        "activation_function": None,
        "label2id": {label: i for i, label in enumerate(head.labels)},
        "dropout_prob": None,
        **more,
    }
    settings = {**config, "config": own}
    (folder / ADAPTERS[0]).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    tensors = {
        f"heads.{config['name']}.1.{name}": value.contiguous()
        for name, value in zip(("weight", "bias"), scaled(head), strict=True)
    }
    save_file(tensors, str(folder / ADAPTERS[1]))
    packed = io.BytesIO()
    torch.save(tensors, packed)
    (folder / ADAPTERS[2]).write_bytes(packed.getvalue())
    return list(ADAPTERS)
