"""Short runs of any number of processes; results of the main one in a file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_training import pairs, plain, trainer

from xadapt.objectives.distillation import Distillation
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.loop import Trainer
from xadapt.training.tasks import Task


def runs() -> dict[str, list[Task]]:
    """What is run: coupled with a bank, coupled on both sides, uncoupled, and a tiny batch."""
    records = pairs(21)
    both = TranslationRanking(directions="both", negatives="batch", pivot="active")
    return {
        "bank": [
            Task("ranking", TranslationRanking(), records),
            Task("held", Distillation(side="pivot"), records, share=0.25),
        ],
        "both": [Task("ranking", both, records)],
        "mlm": [Task("mlm", MaskedLanguageModelling(), plain(21))],
        "one": [Task("held", Distillation(), records[:5]), Task("ranking", both, records[:5])],
    }


def main(folder: Path, world: int) -> None:
    """Train each run for two epochs and leave the weights."""
    for name, tasks in runs().items():
        scored = {"score": lambda: {"score": float(torch.rand(1))}}
        run = trainer(
            folder / name, tasks, epochs=2, learning_rate=1e-3, clip=0.0, evaluations=2, run=scored
        )
        assert run.processes.world == world, f"{run.processes.world} processes, not {world}"
        first: dict[str, torch.Tensor] = {}

        def keep(*_: object, run: Trainer = run, first: dict = first) -> None:
            if not first:
                named = run.trained.named_parameters()
                first.update({k: v.grad.clone() for k, v in named if v.grad is not None})

        run.optimizer.register_step_pre_hook(keep)
        # Adam's own 1e-8 would move an element that has nothing but rounding for a gradient.
        run.optimizer.param_groups[0]["eps"] = 1e-6
        run.train()
        if run.processes.main:
            save_file(first, str(folder / f"{name}.first.safetensors"))
            save_file(dict(run.trained.state_dict()), str(folder / f"{name}.safetensors"))
        run.processes.wait()
