"""The folder of the cache: its location, its parts, and its size limit."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xadapt.backbones.cache.owners import has_ended, owner
from xadapt.backbones.cache.segments import SUFFIX, owner_of
from xadapt.core.errors import UserError

LIMIT_BYTES = 16 * 1024**3
DAY = 86_400.0
ACTIVATIONS = "activations"
PARTS = {
    "activations": (ACTIVATIONS, f"*/*{SUFFIX}"),
    "old vectors": ("vectors", f"*{SUFFIX}"),
    "old prefix states": ("prefix", f"*{SUFFIX}"),
}
"""The folder and the file pattern of each part of the cache; old parts are of earlier versions."""
_IN_USE = ".in-use"


def cache_folder() -> Path:
    """Return the folder of the cache: ``XADAPT_CACHE``, else ``~/.cache/xadapt``."""
    own = os.environ.get("XADAPT_CACHE")
    if own:
        return Path(own).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "xadapt"


@dataclass(frozen=True)
class Part:
    """One part of the cache.

    Attributes:
        name: The kind of content.
        folder: The folder of its files.
        files: Number of files.
        bytes: Size of all files.
    """

    name: str
    folder: Path
    files: int
    bytes: int


def parts(cache: Path) -> list[Part]:
    """List the parts of a cache folder; parts of earlier versions only if they have files."""
    found = []
    for name, (inside, pattern) in PARTS.items():
        sizes = [size for _, size, _ in _files(cache / inside, pattern)]
        if sizes or inside == ACTIVATIONS:
            found.append(Part(name, cache / inside, len(sizes), sum(sizes)))
    return found


def clear(cache: Path) -> None:
    """Remove all cached files, also those of earlier versions.

    Running processes keep the files that they have mapped. A file that a running process is
    currently writing stays.

    Raises:
        UserError: If a file can't be removed.
    """
    for name, (inside, pattern) in PARTS.items():
        folder = cache / inside
        sweep_temporary(folder)
        try:
            for _, _, file in _files(folder, pattern):
                file.unlink(missing_ok=True)
        except OSError as error:
            what = f"can't remove the {name} ({error.strerror})"
            raise UserError(what, where=str(folder)) from None


def trim(root: Path, limit: int) -> int:
    """Remove the least recently used segments until the total size is within a limit.

    Segments in use by a running process stay, so the folder may exceed the limit meanwhile.

    Args:
        root: Folder of the folders of segments.
        limit: Bytes.

    Returns:
        Bytes of the remaining segments.
    """
    sweep_temporary(root)
    files = sorted(_files(root, f"*/*{SUFFIX}"))
    total = sum(size for _, size, _ in files)
    if total > limit:
        used = _names_in_use(root)
        for _, size, file in files:
            if total > limit and file.name not in used:
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
                    total -= size
    return total


def remove_pins(folder: Path) -> None:
    """Remove the folder in which a run has kept its segments."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep_temporary(folder: Path) -> None:
    """Remove temporary files of killed writers, in a folder and in its subfolders."""
    for pattern in (".*.*", "*/.*.*"):
        for left in matching(folder, pattern):
            with contextlib.suppress(OSError):
                old = time.time() - left.stat().st_mtime >= DAY
                if left.is_file() and (old or has_ended(owner_of(left.name))):
                    left.unlink()


def matching(folder: Path, pattern: str) -> list[Path]:
    """List paths in a folder, sorted; the list is empty if the folder can't be read."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


class InUse:
    """Marks on segments in use by this process, until the object or the process ends.

    Args:
        root: As for `trim`.
    """

    def __init__(self, root: Path) -> None:
        self._file = root / _IN_USE / f"{owner()}-{secrets.token_hex(4)}"
        weakref.finalize(self, _unmark, self._file, os.getpid())

    def add(self, names: Iterable[str]) -> None:
        """Mark segments by name.

        If the mark can't be written, it is not needed: segments can't be removed there either.
        """
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write("".join(f"{name}\n" for name in names))


def _unmark(file: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child has the same object
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _names_in_use(root: Path) -> set[str]:
    """Return the names that running processes have marked; remove marks of ended processes."""
    found: set[str] = set()
    for file in matching(root / _IN_USE, "*"):
        with contextlib.suppress(OSError):
            if has_ended(file.name.split("-")[0]):
                file.unlink(missing_ok=True)
            else:
                found.update(file.read_text(encoding="utf-8").splitlines())
    return found


def _files(folder: Path, pattern: str) -> Iterator[tuple[float, int, Path]]:
    """Yield the time of last use, bytes and path of each file that still exists."""
    for file in matching(folder, pattern):
        with contextlib.suppress(OSError):
            state = file.stat()
            yield state.st_mtime, state.st_size, file
