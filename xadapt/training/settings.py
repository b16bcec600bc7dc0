"""Settings of a run besides its tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import TrainSpec
from xadapt.core.errors import UserError

Score = Callable[[], Mapping[str, float]]


class DivergedError(UserError):
    """Error for a loss or a gradient that is not finite: other settings may train."""


@dataclass
class Run:
    """The settings of a run besides its tasks.

    Attributes:
        spec: The schedule.
        folder: Folder of the checkpoint and ``metrics.jsonl``.
        seed: Seed of the data order and all draws.
        identity: Values that must be equal when a run is resumed, such as data hashes.
        score: Development scores by name with the module attached; ``score`` is maximised.
        cache: Folder of the frozen vectors; ``None`` keeps them in memory.
        show: Whether progress is shown.
        callbacks: Callbacks as in transformers, see `xadapt.training.callbacks`.
        report_to: Names of experiment trackers, see `xadapt.training.trackers`.
        config: The recipe of the run, for trackers.
        begins_trained: Whether the module is trained already. Then it is also scored before the
            first step, and it stays as it is if no step is better.
        dimensions: Numbers of first values of a vector that are trained as vectors of their own.
        teacher: Another frozen model that objectives learn from.
    """

    spec: TrainSpec
    folder: Path
    seed: int = 0
    identity: Mapping[str, Any] = field(default_factory=dict)
    score: Score | None = None
    cache: Path | None = None
    show: bool = True
    callbacks: Sequence[Any] = ()
    report_to: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    begins_trained: bool = False
    dimensions: Sequence[int] = ()
    teacher: Encoder | None = None


@dataclass(frozen=True)
class Companion:
    """Another module that views may name, such as a teacher. The module stays frozen.

    Attributes:
        module: The module.
        heads: The head trained with the module, if an objective asks for the head.
    """

    module: nn.Module
    heads: nn.Module | None = None
