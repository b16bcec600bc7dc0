"""A journal of finished rows beside an output file, so that a cut command goes on where it was.

The journal is ``NAME.unfinished``. Its first line names the work; each further line is a row as
JSON. When all rows are there, the output file is written whole and the journal is removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file, write_errors

ENDING = ".unfinished"


class RowJournal:
    """Rows of one output file, kept as they are made.

    Args:
        path: The output file.
        work: What the rows depend on. Rows of other work are refused.
        restart: Whether rows of other work are dropped.

    Attributes:
        done: Number of rows that are there already.

    Raises:
        UserError: If the journal is of other work, or can't be read or written.
    """

    def __init__(self, path: str | Path, work: Mapping[str, Any], *, restart: bool = False) -> None:
        self.path = Path(path)
        self._journal = self.path.with_name(self.path.name + ENDING)
        self._head = json.dumps(dict(work), ensure_ascii=True, sort_keys=True)
        self.done = self._size = 0
        with write_errors(self._journal):
            if self._journal.is_file():
                self._size = self._kept(restart)

    def _kept(self, restart: bool) -> int:
        """Return the bytes of whole rows of this work; count the rows."""
        size = rows = 0
        with self._journal.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break  # the write of this row was cut
                if not size and line.decode("utf-8", "replace").rstrip("\n") != self._head:
                    if restart:
                        return 0
                    raise UserError(
                        "these unfinished rows are of another command, or its inputs changed",
                        where=str(self._journal),
                        todo="Remove the file, or add --force to begin again",
                    )
                rows += size > 0
                size += len(line)
        self.done = rows
        return size

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows.

        Raises:
            UserError: If the disk is full or the file can't be written.
        """
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        made = (text if self._size else f"{self._head}\n{text}").encode()
        with write_errors(self._journal):
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            with self._journal.open("r+b" if self._size else "wb") as stream:
                stream.truncate(self._size)  # what a cut write left
                stream.seek(self._size)
                stream.write(made)
        self._size += len(made)
        self.done += len(rows)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that are there."""
        for line in self._lines():
            yield json.loads(line)

    def finish(self) -> None:
        """Write the output file, and remove the journal.

        Raises:
            UserError: If the file can't be written; the rows stay in the journal.
        """
        with atomic_file(self.path) as temporary, temporary.open("wb") as out:
            out.writelines(self._lines())
        with write_errors(self._journal):
            self._journal.unlink(missing_ok=True)

    def _lines(self) -> Iterator[bytes]:
        if not self._size:
            return
        with write_errors(self._journal), self._journal.open("rb") as stream:
            left = self._size - len(next(stream))
            for line in stream:
                left -= len(line)
                if left < 0:
                    return
                yield line
