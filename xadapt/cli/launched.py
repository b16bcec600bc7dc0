"""The command line under ``torchrun`` or ``accelerate launch``: one process prints for all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

WAITS = 10.0
"""Seconds another process leaves the first to say what is wrong."""


def is_first() -> bool:
    """Whether this process prints and writes: the first, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def give_way() -> str:
    """Wait until the first process has reported the error and the launcher ends this process.

    Returns:
        A prefix with the number of this process, for its own error. The function returns only if
        the first process had no error to report.
    """
    time.sleep(WAITS)
    return f"process {os.environ['RANK']}: "


@contextmanager
def progress(label: str) -> Iterator[None]:
    """Show the progress of the work inside the block, in the first process.

    Args:
        label: The name of the work, shown while no bar with the time left is.
    """
    if not is_first():
        yield
        return
    from xadapt.core.progress import all_shown, waiting

    with all_shown(), waiting(label):
        yield


@contextmanager
def sharing() -> Iterator[None]:
    """Share the encoding inside the block among the processes, if there is more than one."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield
        return
    from xadapt.backbones import shared_forwards as shared
    from xadapt.backbones.loading import choose_device
    from xadapt.core.distributed import DistributedContext

    # Before a base is loaded: each process has its own GPU.
    with shared.sharing(DistributedContext(cpu=choose_device("auto").type == "cpu")):
        yield
