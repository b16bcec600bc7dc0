"""Evaluation by the real command line, in any number of processes.

What each process says and what the first one writes is left in a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_commands import xadapt

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encode import encode, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.shared_forwards import sharing
from xadapt.cli import launched
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.core.files import write_json

COMMANDS = {
    "bitext": ("pairs.tsv", "de", "--controls"),
    "entities": ("pairs.tsv", "de"),
    "tagging": ("test.conll", "tags"),
    "classification": ("test.tsv", "classes"),
    "sts": ("scored.tsv", "de"),
    "qa": ("test.jsonl", "answers"),
    "mistake": ("none.tsv", "de"),
}
TEXTS = [" ".join("abcdefghij"[: 1 + i * 7 % 10]) for i in range(23)]


def commands(folder: Path, out: Path) -> dict[str, Any]:
    """Exit status, stdout and stderr of each."""
    said = {}
    for task, (data, module, *more) in COMMANDS.items():
        given = ("--base", folder / "base", "--dtype", "float32", "--data", folder / data)
        verb = "bitext" if task == "mistake" else task
        done = xadapt(
            *("evaluate", verb, *given, "--module", folder / module, *more),
            *("--json", out / f"{task}.json"),
        )
        said[task] = (done.code, done.out, done.err)
    return said


def vectors(folder: Path, out: Path, processes: DistributedContext) -> dict[str, Any]:
    """Few tokens a forward, so that there are many; how many this process computed."""
    encoder = Encoder.from_pretrained(str(folder / "base"), dtype="float32", device="cpu")
    counted, true = [0], encoder.run

    def run(*given: Any, **more: Any) -> torch.Tensor:
        counted[0] += 1
        return true(*given, **more)

    encoder.run = run  # type: ignore[method-assign]
    with sharing(processes), torch.inference_mode():
        found = {"bare": encode(encoder, TEXTS, batch_tokens=30).numpy()}
        ids = encoder.tokenize(TEXTS)
        for number, (chunk, states) in enumerate(token_states(encoder, ids, batch_tokens=30)):
            found[f"states{number}"], found[f"chunk{number}"] = states.numpy(), np.array(chunk)
        assert len(encode(encoder, [])) == 0
    # Only one of the machines has vectors on its disk: the first says what is done.
    disks = [out / f"disk{rank}" for rank in (0, 1)]
    own = disks[processes.rank]
    for number, there in enumerate(disks):
        if processes.rank == number:
            FrozenVectors(encoder, there).add(TEXTS[: number + 3])
        processes.wait()
    with sharing(processes):
        for many in (3, 4):
            found[f"bank{many}"] = FrozenVectors(encoder, own).get(TEXTS[:many]).numpy()
    np.savez(out / f"rank{processes.rank}.npz", **found)
    return {"forwards": counted[0], "pieces": len(list(own.rglob("*.safetensors")))}


def different(folder: Path, processes: DistributedContext) -> str:
    """What is said where processes don't have the same texts."""
    encoder = Encoder.from_pretrained(str(folder / "base"), dtype="float32", device="cpu")
    with sharing(processes):
        try:
            encode(encoder, ["a" + " a" * processes.rank])
        except UserError as error:
            return str(error)
    return ""


def main(folder: Path, out: Path, world: int) -> None:
    """All of it, by this process."""
    launched.WAITS = 0.0
    processes = DistributedContext(cpu=True)
    assert processes.world == world, f"{processes.world} processes, not {world}"
    out.mkdir(exist_ok=True)
    said = {
        "said": commands(folder, out),
        **vectors(folder, out, processes),
        "different": different(folder, processes),
    }
    write_json(out / f"rank{processes.rank}.json", said)
