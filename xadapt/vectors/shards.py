"""Read a folder of vectors in shards as an array, without loading all vectors."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError, missing_extra
from xadapt.core.files import sha256_file
from xadapt.vectors.index import Index, read_index

MAPPED = 128
COLUMN = "vector"


def open_vectors(folder: Path | str, *, check: bool = False) -> ShardedVectors:
    """Open a folder that ``xadapt encode --shards`` made, as an array ``(rows, dim)``.

    Args:
        folder: The folder.
        check: Also compare every shard with its hash. This reads all shards.

    Raises:
        UserError: If the index or a shard is absent or malformed, or a shard was changed.
    """
    folder = Path(folder)
    index = read_index(folder)
    for number, shard in enumerate(index.shards):
        file = index.made.file(folder, number)
        size = file.stat().st_size if file.is_file() else None
        if size != shard.bytes or (check and sha256_file(file) != shard.sha256):
            state = "is missing" if size is None else "was changed or cut"
            raise UserError(
                f"this shard {state}",
                where=str(file),
                todo="Make it again: the same encode command with --resume",
            )
    return ShardedVectors(folder, index)


class ShardedVectors:
    """Vectors ``(rows, dim)`` in the shards of a folder. Only the requested rows are read.

    ``v[3]``, ``v[-1]``, ``v[10:20]``, ``v[[5, 2, 5]]``, ``v[mask]``, ``len(v)`` and iteration are
    as with an array. A slice inside one ``.npy`` shard is a view of the file. All other results are
    copies.

    Attributes:
        index: The index of the folder.
        shape: ``(rows, dim)``.
        dtype: float32 or float16.
    """

    ndim = 2

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder, self.index = folder, index
        self.shape = (index.rows, index.dim)
        self.dtype = np.dtype(index.made.dtype)
        # A mapped file needs a file handle, and a Parquet shard needs memory.
        self._most = MAPPED if index.made.file_format == "npy" else 1
        self._open: OrderedDict[int, NDArray[np.floating]] = OrderedDict()

    def __repr__(self) -> str:
        rows, dim = self.shape
        shards = len(self.index.shards)
        return f"ShardedVectors: {rows:,} x {dim} {self.dtype} in {shards} shards of {self.folder}"

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.floating]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._span(start, max(start, stop))
            return self._gather(np.arange(start, stop, step))
        if isinstance(key, tuple):
            raise TypeError("vectors are chosen by row: v[rows], then [..., columns]")
        if not isinstance(key, (list, np.ndarray)):
            return self._gather(np.array([operator.index(key)]))[0]
        wanted = np.asarray(key) if len(key) else np.zeros(0, dtype=np.int64)
        if wanted.dtype == bool:
            if wanted.shape != (len(self),):
                raise IndexError(f"a mask of {wanted.shape} for {len(self)} rows")
            wanted = np.flatnonzero(wanted)
        if not np.issubdtype(wanted.dtype, np.integer):
            raise TypeError(f"rows are chosen by whole numbers, not {wanted.dtype}")
        return self._gather(wanted.ravel()).reshape(*wanted.shape, self.shape[1])

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        for block in self.blocks():
            yield from block

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return a copy of all rows in memory, for ``np.asarray``."""
        whole = np.concatenate(list(self.blocks()))
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def blocks(self, rows: int | None = None) -> Iterator[NDArray[np.floating]]:
        """Yield all vectors in order, in arrays of at most ``rows`` rows (by default one shard)."""
        step = rows or self.index.made.shard_rows
        for start in range(0, len(self), step):
            yield self[start : start + step]

    def _span(self, start: int, stop: int) -> NDArray[np.floating]:
        size = self.index.made.shard_rows
        parts = []
        for number in range(start // size, -(-stop // size)):
            first = number * size
            own = self._shard(number)
            parts.append(own[max(start - first, 0) : stop - first])
        if not parts:
            return np.empty((0, self.shape[1]), self.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _gather(self, rows: NDArray[np.integer]) -> NDArray[np.floating]:
        if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"there are {len(self)} rows")
        rows = rows.astype(np.int64)
        rows = np.where(rows < 0, rows + len(self), rows)
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        owners = rows // self.index.made.shard_rows
        for number in np.unique(owners):
            mine = owners == number
            out[mine] = self._shard(int(number))[rows[mine] - number * self.index.made.shard_rows]
        return out

    def _shard(self, number: int) -> NDArray[np.floating]:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        file = self.index.made.file(self.folder, number)
        shard = self.index.shards[number]
        read = read_npy if self.index.made.file_format == "npy" else read_parquet
        try:
            own = read(file)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise UserError(f"can't read this shard ({error})", where=str(file)) from None
        if (own.shape, own.dtype) != ((shard.stop - shard.start, self.shape[1]), self.dtype):
            raise UserError("this shard is another than the index says", where=str(file))
        while len(self._open) >= self._most:
            self._open.popitem(last=False)
        self._open[number] = own
        return own


def read_npy(path: Path) -> NDArray[Any]:
    """Map the array in a ``.npy`` file. Pickled data are refused."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def read_parquet(path: Path) -> NDArray[Any]:
    """Read the ``vector`` column of a Parquet file, ``(rows, dim)``.

    Raises:
        UserError: If the extra ``data`` is not installed.
        ValueError: If the file has no such column.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("pyarrow", "data") from None
    with parquet.ParquetFile(path) as file:
        column = file.read(columns=[COLUMN]).column(COLUMN).combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), -1)
