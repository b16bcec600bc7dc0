"""A tiny encoder with a module, texts for it, and what lies in a folder; shared by shard tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tiny_folders import random_module
from tiny_models import tiny_folder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.data.readers.text_stream import TextSource
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.plan import Layout, describe
from xadapt.vectors.index import Made

WORDS = ("the", "cat", "sat", "on", "mat", "ein", "hund", "im", "park", "katze", "a", "b", "c")


def adapted(folder: Path, *, seed: int = 0) -> AdaptedEncoder:
    """A tiny base in a folder, made if it is not there, and a LoRA for German."""
    if not (folder / "config.json").is_file():
        tiny_folder(folder)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    return AdaptedEncoder(encoder, {"de": random_module(encoder, "lora", seed=seed, rank=2)})


def write_texts(path: Path, rows: int = 23) -> Path:
    """Lines of different lengths."""
    lines = (" ".join(WORDS[(i * 5 + j) % 13] for j in range(i % 7)) for i in range(rows))
    path.write_text("".join(f"{line} {n}\n" for n, line in enumerate(lines)), encoding="utf-8")
    return path


def source(folder: Path, **options: Any) -> TextSource:
    """The texts in a folder, made if they are not there, all German."""
    path = folder / "t.txt"
    return TextSource(str(path if path.is_file() else write_texts(path)), lang="de", **options)


def made_of(one: AdaptedEncoder, text: TextSource, **layout: Any) -> Made:
    """What vectors of these are made of."""
    from xadapt.data.readers.text_stream import survey

    return describe(one, text, survey(text), Layout(**layout))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def quiet() -> None:
    """One thread: forked children have no pool."""
    torch.set_num_threads(1)
