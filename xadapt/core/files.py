"""Atomic writes: a file or folder is there whole or not at all, also when the disk is full."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json, read_bytes


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it takes its place, else it goes.

    Raises:
        UserError: The disk is full or the folder can't be written.
    """
    path = Path(path)
    with _io_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; on success it takes its place, else it goes.

    Args:
        path: The folder to make. It must be absent or empty unless ``replace``.
        replace: Put the new folder in the place of one that is there.

    Raises:
        UserError: The folder holds something, the disk is full, or it can't be written.
    """
    path = Path(path)
    if not replace:
        require_empty(path)
    with _io_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
                path.replace(old / "was")
                temporary.replace(path)
                shutil.rmtree(old)
            else:
                temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def require_empty(path: Path | str) -> None:
    """Refuse an output folder that holds something.

    Raises:
        UserError: It does, or it is a file.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(
            "the output folder is not empty", where=str(path), todo="Name another one, or remove it"
        )


def write_text(path: Path | str, text: str) -> None:
    """Write a whole text file atomically, as UTF-8."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_line(path: Path | str, line: str) -> None:
    """Add one line to a text file, as UTF-8.

    Raises:
        UserError: The disk is full or the file can't be written.
    """
    with _io_errors(Path(path)), Path(path).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def sweep(path: Path | str, older: float = 0.0) -> None:
    """Remove what writers of ``path`` left beside it when they were killed.

    Args:
        path: The file or folder that `atomic_file` or `atomic_folder` was to make; its name may
            be a glob pattern.
        older: Leave what was touched less than this many seconds ago.
    """
    path = Path(path)
    for left in path.parent.glob(f".{path.name}.*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime >= older:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def write_json(path: Path | str, value: Any) -> None:
    """Write a whole JSON file atomically."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file, strictly: see `xadapt.core.strict_parsing`.

    Raises:
        UserError: If it is absent, not JSON, or has a key twice in one object.
    """
    return parse_json(read_bytes(path), where=str(path))


def sha256_file(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _io_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"can't write ({reason})", where=str(path), todo="Free space or name another folder"
        ) from None


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
