"""The activation cache: states of a frozen encoder after a layer, computed once per row."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.backbones.cache.folder import LIMIT_BYTES
from xadapt.backbones.cache.reuse import Kept, Key
from xadapt.backbones.cache.rows import Progress, Rows, TextRows, TokenRows
from xadapt.backbones.cache.segments import Keys, keys_of, offsets_of
from xadapt.backbones.cache.store import SegmentStore
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.protocol import Attachable
from xadapt.backbones.shared_forwards import by_first, is_first, is_shared

R = TypeVar("R", bound=Hashable)
PIECE_ROWS = 4096
PIECE_BYTES = 256 * 1024**2
_BITS = 32
_ROW = (1 << _BITS) - 1


class ActivationCache(Generic[R]):
    """A cache of a frozen encoder's states by row: in memory up to a size, then mapped from disk.

    Rows are independent of each other: a row is found again whichever rows were added with it. Rows
    read from disk are compared with their hashes, and a damaged row is computed again.

    Only missing rows are computed, in pieces, so equal runs with equal caches compute the same
    batches. A row that another run computed in another batch may differ in the last bit. With
    `pin`, a run finds its own rows again.

    Args:
        encoder: The frozen base.
        rows: The kind of rows; `for_texts` and `for_layer` choose the kind.
        folder: Folder of the cache; ``None`` keeps all rows in memory.
        memory: Bytes held in memory before rows go to the folder.
        limit: Bytes that the folder may take.

    Attributes:
        reused: Rows that were found on disk.
        bytes: Bytes of all cached rows.
    """

    def __init__(
        self,
        encoder: Attachable,
        rows: Rows[R],
        folder: Path | None,
        *,
        memory: int = 0,
        limit: int = LIMIT_BYTES,
    ) -> None:
        self.encoder, self.rows, self.memory = encoder, rows, memory
        self.folder, self.limit = folder, limit
        self.reused = self.bytes = 0
        self.piece_rows = PIECE_ROWS
        self._number: dict[R, int] = {}
        self._place: list[int] = []  # of each number: block and row in it
        self._blocks: list[tuple[Tensor, NDArray[np.int64]] | None] = []
        self._unwritten: list[R] = []
        self._unwritten_blocks: list[int] = []
        self._unit = rows.width * rows.dtype.itemsize
        self._own_store: SegmentStore | None = None
        self._pins: Path | None = None
        self._lock = RLock()

    @classmethod
    def for_texts(cls, encoder: Encoder, folder: Path | None) -> ActivationCache[str]:
        """Make a cache of sentence vectors: the last layer's states, pooled."""
        return ActivationCache(encoder, TextRows(encoder), folder)

    @classmethod
    def for_layer(
        cls, encoder: Encoder, layer: int, folder: Path | None, *, memory: int = 0
    ) -> ActivationCache[Key]:
        """Make a cache of the states that enter a layer, by token ids and second segment."""
        return ActivationCache(encoder, TokenRows(encoder, layer), folder, memory=memory)

    def __len__(self) -> int:
        return len(self._number)

    def number(self, row: R) -> int | None:
        """Return the position of a row in the order of adding; ``None`` if it is not cached."""
        return self._number.get(row)

    def missing(self, rows: Sequence[R]) -> list[R]:
        """Return the distinct rows that are not cached yet, in order."""
        return [row for row in dict.fromkeys(rows) if row not in self._number]

    def size(self, rows: Sequence[R]) -> int:
        """Compute the number of bytes that rows take or would take."""
        return int(self.rows.lengths(rows).sum()) * self._unit

    def add(
        self,
        rows: Sequence[R],
        progress: Progress | None = None,
        *,
        flush: bool = True,
        below: Kept | None = None,
    ) -> None:
        """Add rows to the cache: rows that are not on disk are computed.

        Args:
            rows: Any rows.
            progress: A function that is called with the number of newly done rows.
            flush: Whether rows that fill no piece are written at once. If not, a later `flush`
                writes them.
            below: Cached states of a lower layer, at which the forwards may begin.

        Raises:
            UserError: If rows must be computed while a module is merged into the base.
        """
        with self._lock:
            new = self.missing(rows)
            if new:
                new = self._into_memory(new, progress, below)
            if new and self.folder:
                new = self._from_disk(new, progress)
            for piece in self._pieces(new):
                block = self._hold(piece, self.compute(piece, progress, below))
                if self._writes:
                    self._unwritten += piece
                    self._unwritten_blocks.append(block)
                if self._is_full:
                    self.flush()
            if flush:
                self.flush()

    def compute(
        self, rows: list[R], progress: Progress | None = None, below: Kept | None = None
    ) -> Tensor:
        """Compute the states of rows, without adding them to the cache.

        Returns:
            States, one row after the other, ``(tokens, width)``, on the CPU.

        Raises:
            UserError: If a module is merged into the layers that run.
        """
        return self.rows.compute(rows, progress, below)

    def row(self, row: R) -> Tensor:
        """Return the states ``(tokens, width)`` of a cached row, on the CPU; don't change them."""
        states, offsets, at = self._at(row)
        return states[offsets[at] : offsets[at + 1]]

    def gather(self, rows: Sequence[R]) -> Tensor:
        """Return the states of cached rows, one row after the other, ``(tokens, width)``."""
        with self._lock:
            if self.rows.layer is not None:
                return torch.cat([self.row(row) for row in rows])
            places = [self._place[self._number[row]] for row in rows]
            vectors = {
                block: self._block(block)[0].numpy() for block in {p >> _BITS for p in places}
            }
            found = torch.empty(len(rows), self.rows.width)
            rows_of_found = found.numpy()
            for at, place in enumerate(places):
                rows_of_found[at] = vectors[place >> _BITS][place & _ROW]
            return found

    def flush(self) -> None:
        """Write the rows that are so far only in memory as one segment, and map the segment."""
        with self._lock:
            rows, self._unwritten = self._unwritten, []
            blocks, self._unwritten_blocks = self._unwritten_blocks, []
            if not rows:
                return
            parts = [self._block(block)[0] for block in blocks]
            states = torch.cat(parts) if len(parts) > 1 else parts[0]
            segment = self._store.write(self._keys(rows), self.rows.lengths(rows), states)
            if segment is None:
                return
            for block in blocks:
                self._blocks[block] = None
            self._settle(rows, self._new_block(segment.states, segment.offsets), range(len(rows)))

    def pin(self, folder: Path) -> None:
        """Keep the segments that a run uses in its own folder, as hard links or copies.

        This lasts until `unpin`. Rows that are already in the folder are read first. A resumed run
        thus reads bitwise the rows of its start, even if the cache has changed.

        Args:
            folder: A folder of the run; it need not exist yet.
        """
        with self._lock:
            self._pins = folder
            if self._own_store:
                self._own_store.pin(folder)

    def unpin(self) -> None:
        """Stop keeping segments in a run's folder; `folder.remove_pins` removes the kept ones."""
        with self._lock:
            self._pins = None
            if self._own_store:
                self._own_store.unpin()

    @property
    def _store(self) -> SegmentStore:
        """The segments on disk, opened at first use, because the base's fingerprint is needed."""
        if self._own_store is None:
            assert self.folder is not None
            self._own_store = SegmentStore(self.folder, self.rows, self.limit)
            if self._pins:
                self._own_store.pin(self._pins)
        return self._own_store

    @property
    def _writes(self) -> bool:
        return self.folder is not None and is_first() and self._store.writable

    def _keys(self, rows: Sequence[R]) -> Keys:
        return keys_of(self._store.space, map(self.rows.encoded, rows))

    def _into_memory(self, new: list[R], progress: Progress | None, below: Kept | None) -> list[R]:
        """Compute the first pieces, as far as they fit into memory; return the other rows."""
        done = 0
        for piece in self._pieces(new) if self.memory else ():
            if self.bytes + self.size(piece) > self.memory:
                break
            self._hold(piece, self.compute(piece, progress, below))
            done += len(piece)
        return new[done:]

    def _from_disk(self, new: list[R], progress: Progress | None) -> list[R]:
        """Add the rows that are on disk; return the other rows. Only the first process reads."""
        there = by_first(lambda: self._adopted(new))
        if is_shared():
            for piece in self._pieces([new[i] for i in np.flatnonzero(there)]):
                states = by_first(lambda piece=piece: self.gather(piece))  # type: ignore[misc]
                if not is_first():
                    self._hold(piece, states)
        count = int(there.sum())
        self.reused += count
        if progress and count:
            progress(count)
        return [new[i] for i in np.flatnonzero(~there)]

    def _adopted(self, new: list[R]) -> NDArray[np.bool_]:
        """Add the rows that are on this process's disk; return a mask of them, ``(rows,)``."""
        there = np.zeros(len(new), dtype=bool)
        for segment, positions, inside in self._store.take(self._keys(new)):
            block = self._new_block(segment.states, segment.offsets)
            rows = [new[i] for i in positions]
            self._settle(rows, block, inside.tolist())
            self.bytes += self.size(rows)
            there[positions] = True
        return there

    def _hold(self, rows: list[R], states: Tensor) -> int:
        """Add rows to memory, as a new block, and return its number."""
        block = self._new_block(states, offsets_of(self.rows.lengths(rows)))
        self._settle(rows, block, range(len(rows)))
        self.bytes += states.numel() * states.element_size()
        return block

    def _settle(self, rows: Sequence[R], block: int, inside: Sequence[int]) -> None:
        """Record the block of each row, and the row's position in the block."""
        for row, at in zip(rows, inside, strict=True):
            number = self._number.setdefault(row, len(self._place))
            if number == len(self._place):
                self._place.append(0)
            self._place[number] = block << _BITS | at

    def _new_block(self, states: Tensor, offsets: NDArray[np.int64]) -> int:
        self._blocks.append((states, offsets))
        return len(self._blocks) - 1

    def _block(self, number: int) -> tuple[Tensor, NDArray[np.int64]]:
        block = self._blocks[number]
        assert block is not None
        return block

    def _at(self, row: R) -> tuple[Tensor, NDArray[np.int64], int]:
        with self._lock:
            place = self._place[self._number[row]]
            states, offsets = self._block(place >> _BITS)
            return states, offsets, place & _ROW

    @property
    def _is_full(self) -> bool:
        """Whether the rows that are only in memory fill a piece."""
        states = [self._block(block)[0] for block in self._unwritten_blocks]
        size = sum(map(len, states)) * self._unit
        return len(self._unwritten) >= self.piece_rows or size >= PIECE_BYTES

    def _pieces(self, rows: list[R]) -> Iterator[list[R]]:
        """Yield rows in order, in pieces that are computed and written together."""
        ends = self.rows.lengths(rows).cumsum() * self._unit
        start = 0
        while start < len(rows):
            before = ends[start - 1] if start else 0
            full = int(np.searchsorted(ends, before + PIECE_BYTES)) + 1
            stop = min(full, start + self.piece_rows)
            yield rows[start:stop]
            start = stop
