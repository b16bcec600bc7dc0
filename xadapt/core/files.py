"""Atomic writes: a file or folder exists whole or not at all, even if the disk is full."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from xadapt.core.errors import UserError
from xadapt.core.process_identity import ProcessIdentity
from xadapt.core.strict_parsing import parse_json, read_bytes

LOCK = ".xadapt.lock"
"""The lock file of `xadapt.core.folder_lock`, which does not count as content of a folder."""

NAME_BYTES = 100
OLD, KEPT = "old", "was"
UMASK = re.compile(r"^Umask:\s*([0-7]+)$", re.M)
TEMPORARY = re.compile(r"\.([0-9a-f]{8}-\d+-\d+)-[a-z0-9_]+$")


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``.

    If the block succeeds, the temporary file replaces ``path``; otherwise it is removed. A link is
    followed, and its target is replaced. If ``path`` is a device or a pipe, such as ``/dev/null``
    or ``/dev/stdout``, the written bytes are copied into it.

    Raises:
        UserError: If the disk is full, the folder can't be written, or ``path`` is a folder or
            another thing that can't be written.
    """
    path = Path(path)
    with write_errors(path):
        if is_stream(path):
            with _into_stream(path) as temporary:
                yield temporary
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target)
        mode = _mode(target)
        temporary = temporary_file(target)
        try:
            yield temporary
            temporary.chmod(mode)
            _sync(temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder in the parent folder of ``path``.

    If the block succeeds, the temporary folder takes the place of ``path``; otherwise it is
    removed. Every file in it gets the permissions of a new file, whatever library wrote it.

    Args:
        path: The folder to make. Unless ``replace`` is true, it must be absent or empty.
        replace: Whether to replace an existing folder.

    Raises:
        UserError: If the folder is not empty, the disk is full, or the folder can't be written.
    """
    path = Path(path)
    if not replace:
        require_empty(path)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        mode = new_file_mode(path.parent)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path)))
        try:
            yield temporary
            _set_modes(temporary, mode)
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path, OLD)))
                path.replace(old / KEPT)
                temporary.replace(path)
                shutil.rmtree(old)
            else:
                temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def empty_folders_removed(folder: Path) -> Iterator[None]:
    """Remove the folder and its parents after the block, if it made them and they are empty."""
    with write_errors(folder):
        made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    finally:
        for one in made:  # the innermost first; one that holds something stays
            with contextlib.suppress(OSError):
                one.rmdir()


def require_empty(path: Path | str) -> None:
    """Refuse an output folder that contains anything other than a writer's lock.

    Raises:
        UserError: If the folder has other content, if ``path`` is a file, or if it can't be read.
    """
    path = Path(path)
    with write_errors(path):
        used = path.exists() and (
            not path.is_dir() or any(one.name != LOCK for one in path.iterdir())
        )
    if used:
        raise UserError(
            "the output folder is not empty", where=str(path), todo="Name another one, or remove it"
        )


def write_text(path: Path | str, text: str) -> None:
    """Write a whole text file atomically, as UTF-8."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_line(path: Path | str, line: str) -> None:
    """Append one line to a text file, as UTF-8.

    Raises:
        UserError: If the disk is full or the file can't be written.
    """
    with write_errors(Path(path)), Path(path).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def sweep(path: Path | str, older: float = 0.0) -> None:
    """Remove temporary files and folders that killed writers of ``path`` left.

    Only temporaries of `atomic_file` and `atomic_folder` are removed, and only if their process
    ran on this machine and has ended. In a folder of xadapt's own, such as a cache, ``older`` also
    removes temporaries of another machine or an older version.

    Args:
        path: The file or folder that the writers made; its name may be a glob pattern.
        older: Keep temporaries that were changed less than this many seconds ago. Use a value
            above 0 only where every such name is xadapt's.
    """
    path = Path(path)
    name = path.name if glob.has_magic(path.name) else _short(path.name)
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{name}.*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime >= older and _is_dead(left, older > 0):
                    _remove(left, path)


def sweep_all(*folders: Path) -> None:
    """Remove the temporaries that killed writers left in these folders."""
    for folder in folders:
        sweep(folder / "*")


def write_json(path: Path | str, value: Any) -> None:
    """Write a whole JSON file atomically."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file strictly: see `xadapt.core.strict_parsing`.

    Raises:
        UserError: If the file is absent, is not JSON, or has a key twice in one object.
    """
    return parse_json(read_bytes(path), where=str(path))


def sha256_file(path: Path | str) -> str:
    """Compute the SHA-256 of a file's bytes, as hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn a system error inside the block into one line about ``path``.

    Raises:
        UserError: If the block raises an error of the system or of safetensors.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"can't write ({reason})", where=str(path), todo="Free space or name another folder"
        ) from None


def temporary_file(target: Path) -> Path:
    """Make an empty file in the folder of ``target``; its name contains the process identity."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target))
    os.close(handle)
    return Path(name)


def is_stream(path: Path) -> bool:
    """Whether ``path`` is a character device or a pipe, into which bytes are copied.

    Raises:
        UserError: If ``path`` exists and is neither a device or pipe nor a regular file.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode):
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    what = "a folder" if stat.S_ISDIR(mode) else "no file"
    raise UserError(f"this is {what}", where=str(path), todo="Name a file")


@contextmanager
def _into_stream(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="xadapt-") as folder:
        temporary = Path(folder) / "bytes"
        temporary.touch()
        yield temporary
        with (
            contextlib.suppress(BrokenPipeError),  # the reader of a pipe may have closed it
            temporary.open("rb") as source,
            path.open("wb") as stream,
        ):
            shutil.copyfileobj(source, stream)


def new_file_mode(folder: Path) -> int:
    """Return the permissions that a new file has in a folder, by the umask of this process.

    Python can read the umask only by changing it, which another thread would see. Linux tells it;
    elsewhere an empty file is made and removed again.
    """
    with contextlib.suppress(OSError):
        found = UMASK.search(Path("/proc/self/status").read_text(encoding="utf-8"))
        if found:
            return 0o666 & ~int(found[1], 8)
    handle, name = tempfile.mkstemp(dir=folder, prefix=_prefix(folder / "mode"))
    probe = Path(name)
    try:
        os.close(handle)
        probe.unlink()
        probe.touch(0o666)
        return stat.S_IMODE(probe.stat().st_mode)
    finally:
        probe.unlink(missing_ok=True)


def _mode(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new file."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    return new_file_mode(target.parent)


def _set_modes(folder: Path, mode: int) -> None:
    """Give a folder and everything in it the permissions of new files and folders.

    Whoever may read a file may also enter its folder.
    """
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(mode | (mode & 0o444) >> 2 if path.is_dir() else mode)


def _short(name: str) -> str:
    """Return the name, or its hash if the name is too long for an addition."""
    raw = os.fsencode(name)
    return name if len(raw) <= NAME_BYTES else hashlib.sha256(raw).hexdigest()[:16]


def _prefix(path: Path, *more: str) -> str:
    """Return the prefix of the names of this process's temporaries."""
    return ".".join(("", _short(path.name), *more, f"{ProcessIdentity.current().token}-"))


def _is_dead(path: Path, unknown: bool) -> bool:
    """Whether the process of a temporary has ended; ``unknown`` if that can't be determined."""
    found = TEMPORARY.search(path.name)
    process = ProcessIdentity.parse(found[1]) if found else None
    if process is None or not process.here:
        return unknown
    return not process.alive


def _remove(left: Path, path: Path) -> None:
    """Remove a temporary; restore a folder that was moved aside and not yet replaced."""
    kept = left / KEPT
    if f".{OLD}." in left.name and kept.exists() and not path.exists():
        if not glob.has_magic(path.name):
            kept.replace(path)
            left.rmdir()
    elif left.is_dir() and not left.is_symlink():
        shutil.rmtree(left)
    else:
        left.unlink()


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
