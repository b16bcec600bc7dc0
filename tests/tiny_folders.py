"""Tiny random modules and their published folders; shared by the tests of hub and bridges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tiny_models import tiny_folder
from tiny_training import forward
from torch import nn
from transformers import AutoTokenizer

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.hub.manifest import Manifest, build_manifest
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build, options_of

TEXTS = ("the cat sat on the mat", "ein hund", "paka ameketi kwenye mkeka wa katze the dog")
BASE_ID = "someone/tiny-base"


def random_module(encoder: Encoder, kind: str, *, seed: int = 0, **options: Any) -> nn.Module:
    """A module whose every value is random, so that nothing in it may be lost unseen."""
    module = build(kind, options, model_shape(encoder))
    generator = torch.Generator().manual_seed(seed + 7)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
    return module


def manifest_of(encoder: Encoder, module: nn.Module, /, **changes: Any) -> Manifest:
    """A manifest as training would leave it."""
    fields: dict[str, Any] = {
        "name": "tiny-sw",
        "base": {
            "id": BASE_ID,
            "revision": "main",
            "model_type": encoder.model.config.model_type,
            "fingerprint": {"id": "sha256:" + "0" * 64},
        },
        "module": {"kind": module.kind, "options": options_of(module).model_dump(mode="json")},
        "objectives": ["translation_ranking"],
        "recipe": {"module": {"kind": module.kind}, "seed": 0},
        "languages": ["sw"],
        "pivot": "en",
        "data": [{"name": "pairs.tsv", "sha256": "a" * 64, "rows": 12, "licence": "CC0-1.0"}],
        "pooling": encoder.pooling.to_dict(),
        "prompt": encoder.pooling.prompt,
        "max_length": encoder.max_length,
        "dtype": "float32",
        "created": "2025-01-31",
        "licence": "apache-2.0",
    }
    return build_manifest(**{**fields, **changes})


def tensor_file(folder: Path | str) -> Path:
    """The file with the tensors of a module's folder."""
    said = json.loads((Path(folder) / "xadapt.json").read_text(encoding="utf-8"))
    return Path(folder) / said["module"].get("file", "module.safetensors")


def without_hashes(folder: Path, **changes: Any) -> Path:
    """Make a folder one that was written before there were hashes, with other changes."""
    file = folder / "xadapt.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    del said["integrity"]
    file.write_text(json.dumps(said | {"schema_version": 1} | changes), encoding="utf-8")
    return folder


def base_and_encoder(tmp: Path, family: str, **changes: Any) -> tuple[str, Encoder]:
    """A tiny base on disk, and the same as our encoder in float32."""
    path = tiny_folder(tmp / "base", family, **changes)
    # As the real tokenizers of models without token types do.
    names = ["input_ids", "attention_mask"]
    tokenizer = AutoTokenizer.from_pretrained(path, model_input_names=names)
    tokenizer.save_pretrained(path)
    return str(path), Encoder.from_pretrained(str(path), dtype="float32", device="cpu")


def own_states(encoder: Encoder, modules: list[nn.Module], texts: tuple[str, ...] = TEXTS) -> Any:
    """Ids, mask, and our own states with the modules on, one after the other."""
    ids, mask = encoder.batch(encoder.tokenize(texts))
    acts = Activation.several([(ActiveAdapter(encoder, module), None) for module in modules])
    with torch.no_grad():
        return ids, mask, forward(encoder, ids, mask, acts)
