"""The checkpoint of a run: one safetensors file, replaced atomically.

A run may be interrupted at any moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file, sweep

NAME = "checkpoint.safetensors"


@dataclass
class Progress:
    """The progress of a run.

    Attributes:
        step: Number of steps done.
        best_step: The step of the best development score, 0 before the first.
        best_score: The best development score.
        stale: Number of evaluations since the best score.
        seconds: Training time in seconds, over all sittings.
        finished: Whether the run is over.
        identity: Values that identify how the run was started, in JSON's types.
        callbacks: States of callbacks that have one, by the name of their class.
    """

    step: int = 0
    best_step: int = 0
    best_score: float = float("-inf")
    stale: int = 0
    seconds: float = 0.0
    finished: bool = False
    identity: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)


def save(
    folder: Path,
    progress: Progress,
    trained: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
) -> None:
    """Write the checkpoint; the earlier checkpoint stays until the new one is complete."""
    tensors = {f"trained.{k}": v for k, v in trained.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    sweep(folder / NAME)
    with atomic_file(folder / NAME) as temporary:
        save_file(tensors, str(temporary), metadata={"progress": json.dumps(asdict(progress))})


def load(
    folder: Path,
    trained: nn.Module,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> tuple[Progress, dict[str, Tensor]]:
    """Read the checkpoint into the trained parts and the optimizer.

    Returns:
        The progress of the run, and the best weights so far.

    Raises:
        UserError: If there is no checkpoint, or the checkpoint is broken or belongs to another
            recipe, base or data.
    """
    path = folder / NAME
    try:
        with safe_open(str(path), framework="pt") as file:
            progress = Progress(**json.loads((file.metadata() or {})["progress"]))
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"no checkpoint to resume ({error})", where=str(path)) from None
    wanted = json.loads(json.dumps(dict(identity)))
    both = wanted.keys() | progress.identity.keys()
    differs = sorted(k for k in both if progress.identity.get(k) != wanted.get(k))
    if differs:
        raise UserError(
            f"this run was started with another {' and '.join(differs)}",
            where=str(path),
            todo="Resume it with what it was started with, or start anew in another folder",
        )
    try:
        trained.load_state_dict(_under("trained.", tensors))
    except RuntimeError:
        raise UserError(
            "the checkpoint holds another module than this one",
            where=str(path),
            todo="Resume it with the recipe it was started with",
        ) from None
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimizer.", tensors).items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return progress, _under("best.", tensors)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
