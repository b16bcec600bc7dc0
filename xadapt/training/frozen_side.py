"""Constants of a run: vectors of frozen texts, banks, states below the first active layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.cache.prefix_states import PrefixStates
from xadapt.core.distributed import DistributedContext
from xadapt.core.progress import meter
from xadapt.training.forward import Forward
from xadapt.training.tasks import Task


def encode_frozen(
    tasks: Sequence[Task],
    services: Sequence[Mapping[str, Any]],
    frozen: FrozenVectors,
    processes: DistributedContext,
    show: bool,
) -> None:
    """Encode every row on which the module never acts, and build the banks.

    Args:
        tasks: Objectives with their records.
        services: Values that the methods of each objective may ask for.
        frozen: Store of the vectors.
        processes: The processes of the run; the first encodes for all.
        show: Whether progress is shown.
    """
    wanted = [
        text
        for task, given in zip(tasks, services, strict=True)
        for text in task.constant_texts(given)
    ]
    with meter("encoding frozen sentences", frozen.missing(wanted), show) as bar:
        if processes.main:
            frozen.add(wanted, bar.advance)
    processes.wait()
    frozen.add(wanted)
    frozen.seal()
    for task in tasks:
        task.make_bank(frozen)


def keep_prefix(
    tasks: Sequence[Task],
    services: Sequence[Mapping[str, Any]],
    forward: Forward,
    start: int,
    cache: Path | None,
    show: bool,
    pins: Path | None = None,
) -> None:
    """Compute the states that enter the first active layer, for all rows that don't change.

    Args:
        tasks: Objectives with their records.
        services: Values that the methods of each objective may ask for.
        forward: The encoder of the steps, which receives the states.
        start: The first active layer; below 1 there is nothing to keep.
        cache: Folder of the states; ``None`` keeps them in memory.
        show: Whether progress is shown.
        pins: Folder in which the run keeps the states it used, to resume with them.
    """
    if start < 1:
        return
    found = [
        pair
        for task, given in zip(tasks, services, strict=True)
        for pair in task.steady_rows(given)
    ]
    texts = [row for row, _ in found if isinstance(row, str)]
    ids = dict(zip(texts, forward.tokenized.tokenize(texts), strict=True))
    keys = [(ids[row] if isinstance(row, str) else tuple(row), second) for row, second in found]
    keys = list(dict.fromkeys(keys))
    if not keys:
        return
    prefix = PrefixStates(forward.encoder, start, cache)
    if pins:
        prefix.pin(pins)
    with meter(f"encoding up to layer {start}", len(keys), show) as bar:
        if forward.processes.main:
            prefix.add(keys, bar.advance)
    forward.processes.wait()
    prefix.add(keys)
    forward.prefix = prefix
