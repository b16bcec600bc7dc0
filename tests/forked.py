"""Processes forked from the test's own: real ones, without the seconds that imports take.

They have a process id, signals, file descriptors and an exit code like any other. They share with
the test what it has imported, and end without the interpreter's last steps: where these are what is
tested, a test starts an interpreter (`tiny_commands.apart`).
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from xadapt.cli.app import main


def start(
    work: Callable[[], object],
    env: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    **streams: Any,
) -> subprocess.Popen[str]:
    """Run a function in a fork of this process.

    Args:
        work: The function; its exit code is 0, that of a `SystemExit`, or 1 after an error.
        env: Further environment variables.
        encoding: Of its standard output and error.
        streams: ``stdout`` and ``stderr`` as for `subprocess.Popen`; both are pipes otherwise.
    """

    def child() -> None:  # subprocess has opened the streams, and never gets to start a program
        os.closerange(3, 1 << 12)
        os.environ.update(env or {})
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        sys.stderr = open(  # noqa: SIM115
            2, "w", 1, encoding=encoding, errors="backslashreplace", closefd=False
        )
        warnings.resetwarnings()
        logging.getLogger().handlers = []  # those of the test's own process
        torch.set_num_threads(1)
        code = _exit_code(work)
        try:
            sys.stdout.flush()
        finally:
            os._exit(code)

    given: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    given |= streams
    return subprocess.Popen(["false"], preexec_fn=child, restore_signals=False, text=True, **given)


def _exit_code(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def command(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """Run the command line in a fork of this process; options are those of `start`."""

    def run() -> None:
        sys.argv = ["xadapt", *map(str, arguments)]
        main()

    return start(run, **options)


def together(work: Callable[[], object], world: int = 2) -> list[str]:
    """Run a function in several processes that are told of each other as torchrun does.

    Returns:
        What each wrote to standard error, by rank.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": world,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true",
    }
    running = []
    for rank in range(world):
        own = shared | {"RANK": rank, "LOCAL_RANK": rank}
        running.append(start(lambda: _alone(work), {k: str(v) for k, v in own.items()}))
    said = [process.communicate(timeout=600)[1] for process in running]
    for process, err in zip(running, said, strict=True):
        assert process.returncode == 0, err[-3000:]
    return said


def _alone(work: Callable[[], object]) -> None:
    """Forget that the test's own process is a group of one, and leave the group at the end."""
    from accelerate.state import AcceleratorState, GradientState, PartialState

    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()
    work()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
