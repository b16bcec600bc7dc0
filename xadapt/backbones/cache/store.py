"""Segments on disk: look up rows by key, check rows, write new segments, pin those of a run."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.backbones.cache.folder import ACTIVATIONS, InUse, matching, sweep_temporary, trim
from xadapt.backbones.cache.rows import Rows
from xadapt.backbones.cache.segments import (
    SUFFIX,
    DamagedSegmentError,
    Keys,
    Segment,
    new_name,
    open_segment,
    write_segment,
)
from xadapt.core.errors import UserError

logger = logging.getLogger(__name__)

Numbers = NDArray[np.int64]


class SegmentStore:
    """A store of rows of one kind under one encoder, in segment files.

    The index of all segments is read once, at the first look-up of a row. If several segments hold
    a row, a segment that the run has pinned is preferred, then the oldest. A resumed run thus finds
    bitwise the same rows again.

    Args:
        cache: Folder of the cache.
        rows: The kind of rows.
        limit: Maximum bytes of all segments of the cache folder. The least recently used segments
            are removed first. Segments in use by a running process are never removed.

    Attributes:
        writable: False once a segment could not be written.
    """

    def __init__(self, cache: Path, rows: Rows[Any], limit: int) -> None:
        self.space, self.width, self.dtype = rows.space(), rows.width, rows.dtype
        self.root, self.limit = cache / ACTIVATIONS, limit
        self.folder = self.root / self.space.hex()
        self.writable = True
        self._pins: Path | None = None
        self._pinned: list[Path] = []
        self._in_use = InUse(self.root)
        self._used: dict[str, Segment] = {}
        self._segments: list[Segment] | None = None
        self._keys: Keys = np.zeros((0, 2), dtype=np.int64)
        self._owner: Numbers = np.zeros(0, dtype=np.int64)
        self._row: Numbers = np.zeros(0, dtype=np.int64)
        self._left: int | None = None

    def pin(self, folder: Path) -> None:
        """Keep all segments used so far and from now on in a folder of a run, too.

        Segments that are already in the folder are preferred to all others, if no row was looked up
        before. Each session of a run has a subfolder of its own, and earlier subfolders are read
        first. A row that an earlier session used is thus never read from another segment later.

        Args:
            folder: A folder of the run; it need not exist yet.
        """
        own = folder / self.space.hex()
        self._pinned = [path for path in matching(own, "*") if path.is_dir()]
        self._pins = own / f"{len(self._pinned):06d}"
        self._link(self._used.values())

    def unpin(self) -> None:
        """Stop keeping segments in a run's folder."""
        self._pins = None

    def take(self, keys: Keys) -> list[tuple[Segment, Numbers, Numbers]]:
        """Look up rows, and compare each row with its hash.

        Args:
            keys: Keys of rows, ``(n, 2)``.

        Returns:
            Segments, each with positions in ``keys`` and the rows of the segment for these
            positions. Rows that are damaged or not on disk are in no segment.
        """
        segments = self._opened()
        at = self._find(keys)
        for number, mine in self._by_segment(at):
            bad = mine[segments[number].damaged(self._row[at[mine]])]
            if len(bad):
                self._mend(segments[number])
                at[bad] = [self._next(keys[i], at[i]) for i in bad]
        found = [(segments[n], mine, self._row[at[mine]]) for n, mine in self._by_segment(at)]
        self._use([segment for segment, _, _ in found])
        return found

    def write(self, keys: Keys, lengths: Numbers, states: Tensor) -> Segment | None:
        """Write rows as a new segment and map it.

        Args:
            keys: Keys of the rows, ``(n, 2)``.
            lengths: Tokens of each row, ``(n,)``.
            states: States, one row after the other, ``(tokens, width)``.

        Returns:
            The segment; ``None`` if it could not be written. The failure is logged once. Without a
            cache, a run is slower, but its results are as good.
        """
        if not self.writable:
            return None
        path = self.folder / new_name()
        try:
            write_segment(path, self.space, keys, lengths, states)
            segment = open_segment(path, self.space, self.width, self.dtype)
        except (UserError, OSError, DamagedSegmentError) as error:
            logger.warning("states are not kept for the next run: %s", error)
            self.writable = False
            return None
        self._use([segment])
        self._trim(path)
        return segment

    def _opened(self) -> list[Segment]:
        if self._segments is None:
            self._segments = []
            for folder in (*self._pinned, self.folder):
                self._segments += self._open(folder, {s.path.name for s in self._segments})
            self._sort(self._segments)
        return self._segments

    def _open(self, folder: Path, but: set[str]) -> list[Segment]:
        sweep_temporary(folder)
        found = []
        for path in matching(folder, f"*{SUFFIX}"):
            if path.name in but:
                continue
            try:
                found.append(open_segment(path, self.space, self.width, self.dtype))
            except FileNotFoundError:  # another process removed it just now
                continue
            except DamagedSegmentError as error:
                logger.warning("a damaged cache file is computed again (%s): %s", error, path)
                _remove(path)
        return found

    def _sort(self, segments: list[Segment]) -> None:
        """Index the rows of segments by the first half of their keys; the sort is stable."""
        if segments:
            sizes = [len(segment.keys) for segment in segments]
            keys = np.concatenate([segment.keys for segment in segments])
            order = np.argsort(keys[:, 0], kind="stable")
            self._keys = keys[order]
            self._owner = np.repeat(np.arange(len(segments)), sizes)[order]
            self._row = np.concatenate([np.arange(size) for size in sizes])[order]

    def _find(self, keys: Keys) -> Numbers:
        """Return the index position of each key's first row; -1 for a key without a row."""
        if not len(self._keys):
            return np.full(len(keys), -1)
        at = np.searchsorted(self._keys[:, 0], keys[:, 0])
        inside = np.minimum(at, len(self._keys) - 1)
        return np.where((self._keys[inside] == keys).all(axis=1), inside, -1)

    def _by_segment(self, at: Numbers) -> list[tuple[int, Numbers]]:
        """Group the positions in ``at`` by segment; return each segment's number and positions."""
        there = np.flatnonzero(at >= 0)
        if not len(there):
            return []
        owners = self._owner[at[there]]
        order = np.argsort(owners, kind="stable")
        numbers, begins = np.unique(owners[order], return_index=True)
        return list(zip(numbers.tolist(), np.split(there[order], begins[1:]), strict=True))

    def _next(self, key: NDArray[np.int64], at: int) -> int:
        """Return the position of a key's next undamaged row; -1 if there is none."""
        assert self._segments is not None
        for other in range(at + 1, len(self._keys)):
            if self._keys[other, 0] != key[0]:
                break
            segment, row = self._segments[self._owner[other]], self._row[other : other + 1]
            if self._keys[other, 1] == key[1] and not segment.damaged(row).any():
                return other
        return -1

    def _mend(self, segment: Segment) -> None:
        """Replace a damaged segment by its undamaged rows."""
        sound = self._rewrite(segment, segment.path)
        told = len(segment.keys) - sound, len(segment.keys), segment.path
        logger.warning("%d of %d rows of a cache file are damaged, and computed again: %s", *told)

    def _rewrite(self, segment: Segment, path: Path) -> int:
        """Write the undamaged rows of a segment to a path; return their number."""
        rows = np.flatnonzero(~segment.damaged(np.arange(len(segment.keys))))
        if not len(rows):
            _remove(path)
            return 0
        begins, ends = segment.offsets[rows], segment.offsets[rows + 1]
        spans = zip(begins.tolist(), ends.tolist(), strict=True)
        states = torch.cat([segment.states[begin:end] for begin, end in spans])
        with contextlib.suppress(UserError):  # it is found again the next time
            write_segment(path, self.space, segment.keys[rows], ends - begins, states)
        return len(rows)

    def _use(self, segments: list[Segment]) -> None:
        """Mark segments as used: for other processes, for the order of use, and for the run."""
        new = [one for one in segments if one.path.name not in self._used]
        if not new:
            return
        self._in_use.add(one.path.name for one in new)
        for one in new:
            self._used[one.path.name] = one
            with contextlib.suppress(OSError):
                os.utime(one.path)
        self._link(new)

    def _link(self, segments: Iterable[Segment]) -> None:
        if self._pins is None:
            return
        for segment in segments:
            target = self._pins / segment.path.name
            if target.exists() or segment.path.parent in self._pinned:
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(segment.path, target)
            except FileExistsError:  # another process of the run was faster
                continue
            except OSError:  # another disk, or the file was removed but is still mapped
                self._rewrite(segment, target)

    def _trim(self, written: Path) -> None:
        """Enforce the limit; count all files only if the limit may have been reached since."""
        with contextlib.suppress(OSError):  # it may be removed already
            self._left = None if self._left is None else self._left - written.stat().st_size
        if self._left is None or self._left < 0:
            self._left = self.limit - trim(self.root, self.limit)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
