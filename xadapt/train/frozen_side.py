"""What a run computes once: the vectors of every text the module never acts on, and the banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xadapt.backbones.bank import FrozenVectors
from xadapt.train.processes import Processes
from xadapt.train.progress import meter
from xadapt.train.tasks import Task


def encode_frozen(
    tasks: Sequence[Task],
    services: Sequence[Mapping[str, Any]],
    frozen: FrozenVectors,
    processes: Processes,
    show: bool,
) -> None:
    """Encode every row that never meets the module, and build the banks.

    Args:
        tasks: Objectives with their records.
        services: What each one's methods may ask for.
        frozen: Where the vectors go.
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
