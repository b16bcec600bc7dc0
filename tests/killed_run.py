"""A run that tests kill, in a process of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tiny_training import pairs, plain, trainer

from xadapt.data.records import ParallelPair
from xadapt.objectives.contract import EncodeView
from xadapt.objectives.distillation import Distillation
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.tasks import Task


@dataclass(frozen=True)
class Wandering(Distillation):
    """Distillation to other pivots each step: constant texts that no preparation has met."""

    def views(self, records: Sequence[ParallelPair], rng: random.Random) -> dict[str, Any]:
        """The teacher's rows lose a random word."""
        made = super().views(records, rng)
        rows = [text.split() for text in made["teacher"].rows]
        left = [" ".join(rng.sample(words, len(words) - 1)) for words in rows]
        return {**made, "teacher": EncodeView(left, module=False)}


def tasks() -> list[Task]:
    """Bank, a share of records, random draws, texts met on the way, a second source."""
    records = pairs(30)
    return [
        Task("translation_ranking", TranslationRanking(), records),
        Task("distillation", Distillation(side="pivot"), records, share=0.5, weight=0.5),
        Task("wandering", Wandering(), records, share=0.5),
        Task("mlm", MaskedLanguageModelling(), plain(22), data="text"),
    ]


def go(folder: str, pause: float = 0.0) -> None:
    """Start a run, or go on with the one in the folder."""
    torch.set_num_threads(1)
    path = Path(folder)
    run = trainer(
        path,
        tasks(),
        epochs=3,
        checkpoint_seconds=0.02,
        run={"cache": path / "cache", "identity": {"data": "30 pairs"}},
    )
    add = run.log.add

    def slowly(row: dict) -> None:
        add(row)
        time.sleep(pause)

    run.log.add = slowly  # type: ignore[method-assign]
    run.train(resume=(path / "checkpoint.safetensors").exists())
