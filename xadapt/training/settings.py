"""What a run is told besides its tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from xadapt.config.recipe import TrainSpec

Score = Callable[[], Mapping[str, float]]


@dataclass
class Run:
    """What a run needs besides its tasks.

    Attributes:
        spec: The schedule.
        folder: Where checkpoint and ``metrics.jsonl`` go.
        seed: Of the data order and all draws.
        identity: What a resumed run must have been started with, such as data hashes.
        score: Development scores by name with the module attached; ``score`` is maximised.
        cache: Folder of the frozen vectors; ``None`` keeps them in memory.
        show: Whether progress is shown.
    """

    spec: TrainSpec
    folder: Path
    seed: int = 0
    identity: Mapping[str, Any] = field(default_factory=dict)
    score: Score | None = None
    cache: Path | None = None
    show: bool = True


@dataclass(frozen=True)
class Companion:
    """Another module that views may name, such as a teacher; it stays as it is.

    Attributes:
        module: The module.
        heads: The head that was trained with it, if an objective asks for it.
    """

    module: nn.Module
    heads: nn.Module | None = None
