"""The list of modules that all workers serve, in one small file.

A worker that adds or removes a module writes the list under a lock. Every worker looks at the time
of the file before each request, which costs microseconds, and reads it again after a change. So a
change that one worker has answered holds in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xadapt.core.files import read_json, write_json

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Entry:
    """One module: its name, a number of its own, its source and its folder."""

    name: str
    serial: int
    source: str
    folder: str


@dataclass(frozen=True)
class Listing:
    """All modules in order, and the number of the next one."""

    entries: tuple[Entry, ...] = ()
    following: int = 1

    def with_entry(self, entry: Entry) -> Listing:
        """Return the listing with one more module."""
        return replace(self, entries=(*self.entries, entry))

    def without(self, name: str) -> Listing:
        """Return the listing without a module."""
        return replace(self, entries=tuple(own for own in self.entries if own.name != name))


class SharedTable:
    """A listing in a file, or in memory where one process serves alone.

    Args:
        path: The file; ``None`` keeps the listing in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._own = Listing()

    def stamp(self) -> Stamp | None:
        """Return what changes with the file; ``None`` in memory."""
        if self.path is None:
            return None
        said = self.path.stat()
        return said.st_mtime_ns, said.st_ino, said.st_size

    def read(self) -> Listing:
        """Read the listing."""
        if self.path is None:
            return self._own
        row: dict[str, Any] = read_json(self.path)
        return Listing(tuple(Entry(**one) for one in row["entries"]), row["following"])

    def create(self, modules: Sequence[tuple[str, str, str]]) -> Listing:
        """Write the first listing: modules as name, source and folder."""
        entries = tuple(Entry(own[0], i, *own[1:]) for i, own in enumerate(modules, 1))
        listing = Listing(entries, len(entries) + 1)
        self._write(listing)
        return listing

    def reserve(self) -> int:
        """Take a number that no other module has."""
        return self.change(lambda own: replace(own, following=own.following + 1)).following - 1

    def change(self, how: Callable[[Listing], Listing]) -> Listing:
        """Change the listing under a lock, and return the new one."""
        with self._locked():
            listing = how(self.read())
            self._write(listing)
            return listing

    def _write(self, listing: Listing) -> None:
        if self.path is None:
            self._own = listing
        else:
            write_json(self.path, asdict(listing))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self.path is None:
            yield
            return
        import fcntl  # several workers are for systems that have it

        with self.path.with_suffix(".lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield
