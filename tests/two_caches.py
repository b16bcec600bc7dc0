"""A process that fills both parts of a cache, or is killed while it writes; tests fork several."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import torch
from tiny_models import TEXTS, tiny_encoder

from xadapt.backbones.cache import frozen_vectors as bank
from xadapt.backbones.cache import prefix_states as prefix
from xadapt.backbones.cache import segments


def fill(folder: Path, what: str) -> None:
    """Wait until the folder has a file ``go``, then add the same rows as all others; or ``die``."""
    encoder = tiny_encoder()
    keys: list[prefix.Key] = [(tuple(row), None) for row in encoder.tokenize(TEXTS)]
    states = prefix.PrefixStates(encoder, 2, folder)
    vectors = bank.FrozenVectors(encoder, folder)
    (folder / f"ready.{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.001)
    if what == "die":
        segments.save_file = half  # type: ignore[assignment]
        vectors.add(TEXTS)
    bank.PIECE = prefix.PIECE = 1  # as many writes as there are rows
    vectors.add(TEXTS)
    states.add(keys)
    torch.save((vectors.get(TEXTS), states.batch(keys)[0]), folder / f"done.{os.getpid()}")


def half(_: object, path: str, **__: object) -> None:
    """A write that the process does not live through."""
    Path(path).write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
