"""The process of one worker: ``python -m xadapt.serving.worker``; see `supervisor`."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import warnings
from pathlib import Path

from xadapt.core.errors import UserError


def main(folder: str, listening: str, lifeline: str, ready: str) -> int:
    """Serve on an inherited socket.

    Args:
        folder: The supervisor's folder.
        listening: Number of the socket.
        lifeline: Number of the pipe that ends with the supervisor.
        ready: Number of the pipe that hears when requests are taken.

    Returns:
        The exit code.
    """
    import torch

    from xadapt.serving.server import load_door, serving, state_file
    from xadapt.serving.settings import Settings
    from xadapt.serving.shared_table import SharedTable

    warnings.filterwarnings("ignore")
    place = Path(folder)
    settings = Settings.from_json((place / "settings.json").read_text(encoding="utf-8"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (cores or 1) // settings.workers)))
    failed: list[bool] = []

    def crashed() -> None:
        failed.append(True)
        os._exit(1)

    try:
        door = load_door(settings, SharedTable(state_file(place)), crashed)
    except UserError as error:
        sys.stderr.write(f"xadapt: {' '.join(str(error).split())}\n")
        return 2
    own = socket.socket(fileno=int(listening))
    pipe = int(ready)

    def started(_: object) -> None:
        os.write(pipe, b"r")

    asyncio.run(serving(door, [own], started, int(lifeline)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
