"""Write a folder of vectors shard by shard, so that an interrupted run loses no complete shard.

The file of a shard is written first, then a small file in ``DIR/run`` with its hashes. Only then
the shard is done. At the end the index is written from these files and ``DIR/run`` is removed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError, missing_extra
from xadapt.core.files import (
    LOCK,
    atomic_file,
    read_json,
    require_empty,
    sha256_file,
    sweep,
    write_json,
)
from xadapt.inference.bulk.plan import refuse_other
from xadapt.vectors.index import INDEX, Index, Made, Shard, parse, read_index
from xadapt.vectors.shards import COLUMN

STATE, PLAN = "run", "plan.json"


class ShardFolder:
    """A folder of vector shards under construction; processes may write different shards.

    Args:
        path: The folder.
        made: Description of the vectors.
        resume: Whether to continue an earlier run in the folder.

    Raises:
        UserError: If the folder holds other files, or vectors with another description. The error
            lists the differences. The folder is not changed then.
    """

    def __init__(self, path: Path, made: Made, resume: bool) -> None:
        self.path, self.made, self.state = path, made, path / STATE
        self._index: Index | None = None
        plan = self.state / PLAN
        if (path / INDEX).is_file():
            _allow(resume, path, "finished vectors", "Name another one, or check it by --resume")
            self._index = read_index(path)
            refuse_other(self._index.made, made, path)
        elif plan.is_file():
            _allow(resume, path, "an unfinished run", "Add --resume to go on, or name another one")
            refuse_other(parse(Made, read_json(plan), plan), made, path)
        elif not _only_leftovers(path):
            require_empty(path)

    def tidy(self) -> None:
        """Remove incomplete files of a killed run."""
        for pattern in (self.path / "part-*", self.path / INDEX, self.state / "*"):
            sweep(pattern)

    def done(self, number: int, *, check: bool = False) -> Shard | None:
        """Return a shard that is complete on disk, or ``None``.

        Args:
            number: Number of the shard.
            check: Compare the hash of its content too, not its size alone.

        Raises:
            UserError: If the file that describes the shard is malformed.
        """
        file, said = self.made.file(self.path, number), self._said(number)
        if said.is_file():
            shard = parse(Shard, read_json(said), said)
        elif self._index is not None and number < len(self._index.shards):
            shard = self._index.shards[number]
        else:
            return None
        whole = file.is_file() and file.stat().st_size == shard.bytes
        if whole and check:
            whole = sha256_file(file) == shard.sha256
        return shard if whole else None

    def known(self) -> int:
        """Return the highest number of a shard that was ever done, plus one."""
        numbers = [int(file.stem[5:]) for file in self.state.glob("part-*.json")]
        return max([n + 1 for n in numbers] + [len(self._index.shards) if self._index else 0])

    def write(self, number: int, vectors: NDArray[np.float32], text: str) -> None:
        """Write a shard ``(rows, dim)``.

        Args:
            number: Number of the shard, from 0.
            vectors: Vectors of its rows, in float32.
            text: Hash of its texts and languages.

        Raises:
            UserError: If the disk is full, the folder can't be written, or a number does not fit
                float16. The shard is not written then.
        """
        with np.errstate(over="ignore"):
            stored = vectors.astype(self.made.dtype)
        if not np.isfinite(stored).all() and np.isfinite(vectors).all():
            raise UserError("a number is too large for float16", todo="Leave out --half")
        plan = self.state / PLAN
        if self._index is None and not plan.is_file():
            write_json(plan, self.made.model_dump(mode="json"))
        file = self.made.file(self.path, number)
        with atomic_file(file) as temporary:
            (_write_npy if self.made.file_format == "npy" else _write_parquet)(temporary, stored)
            size, sha = temporary.stat().st_size, sha256_file(temporary)
        start = number * self.made.shard_rows
        shard = Shard(start=start, stop=start + len(stored), bytes=size, sha256=sha, text=text)
        write_json(self._said(number), shard.model_dump(mode="json"))

    def settle(self, count: int, rows: int, dim: int) -> Index:
        """Write the index of all shards and remove the files that only an unfinished run needs.

        Raises:
            UserError: If a shard is not there.
        """
        shards = []
        for number in range(count):
            shard = self.done(number)
            if shard is None:
                raise UserError(
                    "this shard was not written",
                    where=str(self.made.file(self.path, number)),
                    todo="All machines must write to one shared folder; then add --resume",
                )
            shards.append(shard)
        index = Index(rows=rows, dim=dim, made=self.made, shards=shards)
        write_json(self.path / INDEX, index.model_dump(mode="json"))
        shutil.rmtree(self.state, ignore_errors=True)
        return index

    def _said(self, number: int) -> Path:
        return self.state / f"part-{number:05d}.json"


def _allow(resume: bool, path: Path, what: str, todo: str) -> None:
    if not resume:
        raise UserError(f"the output folder holds {what}", where=str(path), todo=todo)


def _only_leftovers(path: Path) -> bool:
    """Whether a folder holds only the leftovers of a run killed before its first shard."""
    if not path.is_dir():
        return False
    state = path / STATE
    inner = list(state.iterdir()) if state.is_dir() else []
    outer = [file for file in path.iterdir() if file not in (state, path / LOCK)]
    return all(file.name.startswith((".part-", f".{PLAN}")) for file in inner + outer)


def _write_npy(path: Path, vectors: NDArray[np.floating]) -> None:
    """Write the bytes of `numpy.save` by plain writes, which report a full disk."""
    layout = np.lib.format
    with path.open("wb") as stream:
        layout.write_array_header_1_0(stream, layout.header_data_from_array_1_0(vectors))
        stream.write(np.ascontiguousarray(vectors).view(np.uint8).data)


def _write_parquet(path: Path, vectors: NDArray[np.floating]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("pyarrow", "data") from None
    flat = pyarrow.array(np.ascontiguousarray(vectors).ravel())
    column = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    parquet.write_table(pyarrow.table({COLUMN: column}), path)
