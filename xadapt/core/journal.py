"""A journal of finished rows: work that is cut goes on after the last one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from xadapt.core.errors import UserError
from xadapt.core.files import read_json, write_errors, write_json
from xadapt.core.folder_lock import one_writer

IDENTITY, ROWS = "identity.json", "rows.jsonl"


class Journal:
    """The finished rows of one piece of work, a line of JSON each, in a folder of its own.

    `open_journal` makes it. A row counts once its line is whole; half a line that a kill left
    is cut.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / ROWS
        self._stream: IO[bytes] | None = None

    def __len__(self) -> int:
        """The number of finished rows."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the finished rows in the order in which they were added."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; when this returns, they are on the disk.

        Raises:
            UserError: If the disk is full or the file can't be written.
        """
        lines = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        with write_errors(self._path):
            if self._stream is None:
                self._stream = self._path.open("ab")
            self._stream.write(lines)
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def remove(self) -> None:
        """Remove the files of the journal, once its rows are where they belong."""
        self.close()
        for name in (ROWS, IDENTITY):
            (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def cut(self) -> None:
        """Remove half a line at the end."""
        with write_errors(self._path):
            if not self._path.exists():
                return
            with self._path.open("rb+") as stream:
                end = stream.seek(0, os.SEEK_END)
                while end:
                    start = max(0, end - (1 << 16))
                    stream.seek(start)
                    at = stream.read(end - start).rfind(b"\n")
                    if at >= 0:
                        end = start + at + 1
                        break
                    end = start
                stream.truncate(end)


@contextmanager
def open_journal(folder: Path, identity: Mapping[str, Any]) -> Iterator[Journal]:
    """Open the journal in a folder, or begin one, as its only writer.

    Args:
        folder: The folder, which is made.
        identity: Names and values that decide the rows: hash of the data, options.

    Raises:
        UserError: If the journal was begun with another identity, another process writes to it, or
            the folder can't be written.
    """
    with one_writer(folder):
        known = folder / IDENTITY
        wanted = json.loads(json.dumps(identity))
        if known.exists():
            found = read_json(known)
            found = found if isinstance(found, dict) else {}
            names = [key for key in wanted if found.get(key) != wanted[key]]
            if names:
                raise UserError(
                    f"this work was begun with another value of {', '.join(names)}",
                    where=str(folder),
                    todo="Give the same options, or remove the folder to begin again",
                )
        else:
            write_json(known, wanted)
        journal = Journal(folder)
        journal.cut()
        try:
            yield journal
        finally:
            journal.close()
