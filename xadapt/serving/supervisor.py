"""Several processes behind one address, and a supervisor that starts them again.

The supervisor opens the socket; each worker inherits it, so that connections that wait are not lost
with a worker that is killed. Each worker holds the base and all modules. A worker that dies is
started again. If the supervisor dies, the workers answer what they took and end.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import write_text
from xadapt.serving.metrics import FOLDER, forget_process
from xadapt.serving.server import address_of, first_modules, listen, state_file
from xadapt.serving.settings import Settings
from xadapt.serving.shared_table import SharedTable

TICK = 0.1
EARLY_DEATHS = 5
"""So many workers in a row that die before they are ready end the server."""
LONGEST_PAUSE = 10.0
USER_MISTAKE = 2


@dataclass
class _Worker:
    """One process."""

    process: subprocess.Popen[bytes]
    pipe: int
    ready: bool = False
    heard_end: bool = False


class Supervisor:
    """Starts workers, watches them, and ends them.

    Args:
        settings: The settings.
        started: Called with the address and the ids of the workers once all are ready.
        report: Receives a line for each worker that died.
    """

    def __init__(
        self,
        settings: Settings,
        started: Callable[[str, list[int]], None] = lambda *_: None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings, self._started, self._report = settings, started, report
        self._workers: list[_Worker] = []
        self._ending = False
        self._early = 0
        self._not_before = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            UserError: If the address or a module can't be used, or a worker reports a mistake of
                the user.
        """
        with tempfile.TemporaryDirectory(prefix="xadapt-serve-") as name:
            folder = Path(name)
            (folder / "metrics").mkdir()
            write_text(folder / "settings.json", self.settings.to_json())
            shared = SharedTable(state_file(folder))
            first_modules(self.settings, shared)
            with listen(self.settings) as own:
                self._lifeline = os.pipe()
                before = {n: signal.signal(n, self._end) for n in (signal.SIGTERM, signal.SIGINT)}
                try:
                    self._watch(folder, own.fileno(), address_of(own))
                finally:
                    os.close(self._lifeline[1])
                    self._stop()
                    os.close(self._lifeline[0])
                    for number, handler in before.items():
                        signal.signal(number, handler)

    def _end(self, *_: Any) -> None:
        self._ending = True

    def _watch(self, folder: Path, socket: int, address: str) -> None:
        announced = False
        while not self._ending:
            wanted = self.settings.workers - len(self._workers)
            if wanted > 0 and time.monotonic() >= self._not_before:
                for _ in range(wanted):
                    self._workers.append(self._start(folder, socket))
            pipes = [worker.pipe for worker in self._workers if not worker.heard_end]
            heard, _, _ = select.select(pipes, [], [], TICK)
            for worker in self._workers:
                if worker.pipe in heard:
                    worker.heard_end = not os.read(worker.pipe, 64)
                    if not worker.heard_end:
                        worker.ready, self._early = True, 0
            for worker in [own for own in self._workers if own.process.poll() is not None]:
                self._lost(worker, folder)
            ready = sum(worker.ready for worker in self._workers)
            if not announced and ready == self.settings.workers:
                announced = True
                self._started(address, [own.process.pid for own in self._workers])

    def _start(self, folder: Path, socket: int) -> _Worker:
        ours, theirs = os.pipe()
        given = [str(folder), str(socket), str(self._lifeline[0]), str(theirs)]
        process = subprocess.Popen(
            [sys.executable, "-m", "xadapt.serving.worker", *given],
            pass_fds=[socket, self._lifeline[0], theirs],
            env={**os.environ, FOLDER: str(folder / "metrics")},
            start_new_session=True,  # Ctrl-C goes to the supervisor alone, which ends them in order
        )
        os.close(theirs)
        return _Worker(process, ours)

    def _lost(self, worker: _Worker, folder: Path) -> None:
        """Forget a worker that died; the next round starts another one.

        Raises:
            UserError: If it reports a mistake of the user, or workers die before they are ready.
        """
        self._workers.remove(worker)
        os.close(worker.pipe)
        code = worker.process.returncode
        forget_process(worker.process.pid, str(folder / "metrics"))
        if not worker.ready:
            self._early += 1
            if code == USER_MISTAKE and self._early == 1:
                raise UserError("a worker could not start; its reason stands above")
            if self._early >= EARLY_DEATHS:
                raise UserError(f"{self._early} workers died before they were ready (code {code})")
            pause = min(LONGEST_PAUSE, 0.1 * 2**self._early)
            self._not_before = time.monotonic() + pause
        self._report(f"worker {worker.process.pid} ended with {code}; another one starts")

    def _stop(self) -> None:
        """End all workers: by SIGTERM, and by SIGKILL after the time of grace."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        until = time.monotonic() + self.settings.grace_seconds + 5
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            os.close(worker.pipe)
