"""A journal of finished rows: work that is cut goes on after the last one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file, read_json, write_errors, write_json
from xadapt.core.folder_lock import one_writer

IDENTITY, ROWS = "identity.json", "rows.jsonl"
KEPT = "kept-"
"""The beginning of the names of files with intermediate results in the folder of a journal."""
ADVICE = "Give the same options, or remove the folder to begin again"


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

    def finish(self, path: str | Path) -> None:
        """Write all rows to a file, a line of JSON each, and remove the files of the journal.

        Raises:
            UserError: If the file can't be written; the rows stay in the journal.
        """
        self.close()
        with atomic_file(path) as temporary, temporary.open("wb") as out:
            if self._path.exists():
                with self._path.open("rb") as stream:
                    shutil.copyfileobj(stream, out)
        self.remove()

    def remove(self) -> None:
        """Remove the files of the journal, once its rows are where they belong."""
        self.close()
        for name in (ROWS, *(path.name for path in self.folder.glob(f"{KEPT}*")), IDENTITY):
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
def open_journal(
    folder: Path, identity: Mapping[str, Any], *, restart: bool = False, todo: str = ADVICE
) -> Iterator[Journal]:
    """Open the journal in a folder, or begin one, as its only writer.

    A mistake of the user before the first row leaves no folder.

    Args:
        folder: The folder, which is made.
        identity: Names and values that decide the rows: hash of the data, options.
        restart: Whether rows of another identity are removed.
        todo: Advice to the user if there are rows of another identity.

    Raises:
        UserError: If the journal was begun with another identity and ``restart`` is false, another
            process writes to it, or the folder can't be written.
    """
    with _removed_if_empty(folder), one_writer(folder):
        journal = Journal(folder)
        wanted = json.loads(json.dumps(identity))
        changed = _changed(folder / IDENTITY, wanted)
        if changed and not restart:
            raise UserError(
                f"this work was begun with another value of {', '.join(changed)}",
                where=str(folder),
                todo=todo,
            )
        if changed:
            journal.remove()
        if not (folder / IDENTITY).exists():
            write_json(folder / IDENTITY, wanted)
        journal.cut()
        try:
            yield journal
        except UserError:
            if not any(True for _ in journal):
                journal.remove()
            raise
        finally:
            journal.close()


@contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    """Remove the folder at the end if nothing is in it, also one of an earlier process."""
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()


def _changed(known: Path, wanted: Mapping[str, Any]) -> list[str]:
    """Return the names whose values differ from those of the journal that is there."""
    if not known.exists():
        return []
    found = read_json(known)
    found = found if isinstance(found, dict) else {}
    return [key for key in wanted if found.get(key) != wanted[key]]
