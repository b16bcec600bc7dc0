"""One writer per folder: a small lock file names the process that writes there."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from xadapt.core.errors import UserError
from xadapt.core.files import LOCK, empty_folders_removed, sweep_all, write_errors
from xadapt.core.process_identity import ProcessIdentity

COMMAND_CHARS, MANY = 200, 100


@dataclass(frozen=True)
class _Owner:
    """The content of a lock file."""

    process: ProcessIdentity
    host: str
    since: str
    command: str

    @classmethod
    def current(cls) -> _Owner:
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:COMMAND_CHARS]
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(ProcessIdentity.current(), socket.gethostname(), since, command)

    @classmethod
    def parse(cls, text: str) -> _Owner | None:
        """Parse the owner; ``None`` if the file was cut or is malformed."""
        try:
            row = json.loads(text)
            process = ProcessIdentity.parse(row["process"])
            return cls(process, *(str(row[key])[:300] for key in ("host", "since", "command"))) \
                if process else None  # fmt: skip
        except (ValueError, TypeError, KeyError):
            return None

    def text(self) -> str:
        row = {
            "process": self.process.token,
            "pid": self.process.pid,
            "host": self.host,
            "since": self.since,
            "command": self.command,
        }
        return json.dumps(row, ensure_ascii=True) + "\n"


@contextmanager
def one_writer(folder: Path | str, *, main: bool = True) -> Iterator[None]:
    """Lock a folder for this process as the only writer, while the block runs.

    The folder is made if it is absent. If it is empty at the end, the folders made here are
    removed. The lock thus also proves, before any work, that the folder can be written. The lock of
    a process that has ended is taken over.

    Args:
        folder: The folder.
        main: Whether this process is the one of several that writes. For another process, nothing
            happens.

    Raises:
        UserError: If another process writes to the folder, or the folder can't be made or written.
    """
    folder = Path(folder)
    if not main:
        yield
        return
    with empty_folders_removed(folder):
        with write_errors(folder):
            _take(folder)
        try:
            sweep_all(folder.parent, folder)
            yield
        finally:
            _release(folder / LOCK)


def is_main() -> bool:
    """Whether this process is the first of a launcher such as ``torchrun``, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _take(folder: Path) -> None:
    file = folder / LOCK
    for _ in range(MANY):
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # its last writer removed the empty folder
            _write_owner(file)
            return
    raise FileNotFoundError(None, "the folder goes away again and again")


def _write_owner(file: Path) -> None:
    with _alone(file) as stream:
        owner = _Owner.parse(stream.read(10_000))
        if owner is not None and owner.process.alive:
            raise _refusal(owner, file)
        stream.seek(0)
        stream.truncate()
        try:
            stream.write(_Owner.current().text())
            stream.flush()
        except OSError:  # a full disk: half a lock is not left behind
            file.unlink()
            raise


def _release(file: Path) -> None:
    with contextlib.suppress(OSError), _alone(file) as stream:
        owner = _Owner.parse(stream.read(10_000))
        if owner is None or owner.process == ProcessIdentity.current():
            file.unlink()


@contextmanager
def _alone(file: Path) -> Iterator[TextIO]:
    """Open the lock file while no other process reads and writes it."""
    while True:
        with file.open("a+", encoding="utf-8", errors="replace") as stream:
            _flock(stream)
            try:
                same = os.path.samestat(os.fstat(stream.fileno()), file.stat())
            except FileNotFoundError:  # its owner let go of it just now
                same = False
            if same:
                stream.seek(0)
                yield stream
                return


def _flock(stream: TextIO) -> None:
    # Without flock in the system or file system, only the file's content protects the folder.
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)


def _refusal(owner: _Owner, file: Path) -> UserError:
    who = f"process {owner.process.pid} on {owner.host} ({owner.command}, since {owner.since})"
    if owner.process == ProcessIdentity.current():
        who = "this very process"
    todo = "Wait for it, or name another folder"
    if not owner.process.here:
        todo += f"; if that process is gone, remove {file}"
    return UserError(f"this folder is being written by {who}", where=str(file.parent), todo=todo)
