"""Published folders of tiny random modules with a random task head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tiny_folders import manifest_of, random_module

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.heads.head import Head
from xadapt.hub.folder import write_folder

LABELS: dict[str, Any] = {
    "classification": ("x", "y", "z"),
    "multi_label": ("x", "y", "z"),
    "pair_classification": ("x", "y", "z"),
    "span_extraction": ("start", "end"),
    "tagging": ("O", "B-A", "I-A"),
    "pair_scoring": ("score",),
    "candidate_ranking": ("score",),
    "text_rating": ("rating",),
}


def published(
    path: Path,
    encoder: Encoder,
    task: Any = None,
    seed: int = 0,
    parents: tuple[str, ...] = (),
    **options: Any,
) -> Path:
    """A module's folder, with a random head for a task if one is named."""
    module = random_module(encoder, "lora", seed=seed, rank=2, **options)
    torch.manual_seed(seed)
    scale = (1.0, 5.0) if task in ("pair_scoring", "text_rating") else None
    head = Head(task, LABELS[task], encoder.width, scale=scale) if task else None
    made = manifest_of(
        encoder,
        module,
        base={"model_type": "bert", "fingerprint": encoder.identity.to_dict()},
        parents=list(parents),
        trained_inside=[" + ".join((*parents, "self"))] if parents else [],
        languages=["de"],
    )
    write_folder(path, module, encoder, made, verify={}, head=head, loaders="all")
    return path
