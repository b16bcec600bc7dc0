"""A run whose first process works alone for longer than the others' usual patience.

Results of each process are left in a folder.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from tiny_training import digest, module_for, pairs, tiny_encoder, trainer

from xadapt.backbones.cache import rows
from xadapt.core.distributed import DistributedContext
from xadapt.core.files import write_json
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.tasks import Task

USUAL = timedelta(seconds=3)
ALONE = 4.5


def main(folder: Path, rank: str) -> None:
    """Train for two epochs with a slow encoding and a slow scoring of the first process."""
    (folder / f"ready{rank}").touch()
    while not all((folder / f"ready{other}").exists() for other in "01"):
        time.sleep(0.01)
    processes = DistributedContext(cpu=True, patience=USUAL)
    slept = []

    def alone() -> None:
        slept.append(processes.rank)
        time.sleep(ALONE if processes.main else 0.0)

    def encode(*given: Any, **more: Any) -> torch.Tensor:
        alone()
        return quick(*given, **more)

    def score() -> dict[str, float]:
        alone()
        return {"score": 1.0}

    quick, rows.encode = rows.encode, encode  # type: ignore[assignment]
    base = tiny_encoder("bert", mlm=True)
    module = module_for(base, rank=2, layers=[2, 4])
    run = trainer(
        folder / "run", [Task("a", TranslationRanking(), pairs(12))], encoder=base, module=module,
        epochs=2, evaluations=1, run={"score": score, "cache": folder / "cache"},
    )  # fmt: skip
    run.train()
    found = {"slept": slept, "weights": digest(run.module), "usual": "waited"}
    if processes.main:
        time.sleep(ALONE)
    try:
        dist.all_reduce(torch.ones(1))
    except RuntimeError as error:
        found["usual"] = str(error)
    write_json(folder / f"rank{rank}.json", found)
