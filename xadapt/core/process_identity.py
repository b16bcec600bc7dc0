"""The identity of a process: shows later whether the process still runs, though pids are reused."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(r"([0-9a-f]{8})-(\d+)-(\d+)")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process of one machine.

    Attributes:
        machine: Hash of host name, boot and process namespace, eight hexadecimal digits. A
            container has its own hash.
        pid: The process id on that machine.
        started: The start time, in the machine's own units; 0 if not known.
    """

    machine: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> ProcessIdentity:
        """Return the identity of this process."""
        return cls(_machine(), os.getpid(), _started(os.getpid()) or 0)

    @classmethod
    def parse(cls, token: str) -> ProcessIdentity | None:
        """Parse the text of `token`; ``None`` if the text is not a token."""
        found = _TOKEN.fullmatch(token)
        return cls(found[1], int(found[2]), int(found[3])) if found else None

    @property
    def token(self) -> str:
        """The identity as text that is valid in a file name."""
        return f"{self.machine}-{self.pid}-{self.started}"

    @property
    def here(self) -> bool:
        """Whether the process belongs to this machine, so that `alive` can be determined."""
        return self.machine == _machine()

    @property
    def alive(self) -> bool:
        """Whether the process still runs. A process of another machine counts as alive."""
        if not self.here:
            return True
        began = _started(self.pid)
        return began is not None and (began == self.started or 0 in (began, self.started))


def _machine() -> str:
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # without Linux, only the host name
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _started(pid: int) -> int | None:
    """Return the start time of a process.

    The result is 0 if the start time is hidden, and ``None`` if there is no such process. A zombie
    does not count as a process.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _exists(pid)
    return None if state in "ZX" else int(fields[18])


def _exists(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except (PermissionError, OverflowError):
        return 0
    return 0
