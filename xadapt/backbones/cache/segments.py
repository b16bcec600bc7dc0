"""Segment files: states of several rows in one safetensors file, with an index of the rows.

A segment is written whole and never changed. Its tensors are ``states`` ``(tokens, width)``, and
for each row ``keys`` (128 bits), ``lengths`` (tokens) and ``hashes`` (XXH3 of the bytes of its
states). The metadata holds a hash of the index.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from xadapt.backbones.cache.owners import owner
from xadapt.core.files import atomic_file

FORMAT = "xadapt activations 1"
SUFFIX = ".safetensors"

Keys = NDArray[np.int64]
"""Keys of rows, ``(rows, 2)``."""


class DamagedSegmentError(Exception):
    """Error for a segment file that can't be used at all."""


@dataclass
class Segment:
    """Some rows of a cache, mapped from a file.

    Attributes:
        path: The file.
        keys: Keys of its rows, ``(rows, 2)``.
        offsets: The first token of each row, and the number of tokens, ``(rows + 1,)``.
        hashes: Hash of the bytes of each row's states, ``(rows,)``.
        states: States of all rows, ``(tokens, width)``.
    """

    path: Path
    keys: Keys
    offsets: NDArray[np.int64]
    hashes: NDArray[np.int64]
    states: Tensor

    def damaged(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Compare the states of rows with their hashes.

        Args:
            rows: Numbers of rows, ``(n,)``.

        Returns:
            True for each row that differs from the written one, ``(n,)``.
        """
        found = hash_rows(self.states, self.offsets[rows], self.offsets[rows + 1])
        return found != self.hashes[rows]


def keys_of(space: bytes, rows: Iterable[bytes]) -> Keys:
    """Hash rows to keys of 128 bits.

    Args:
        space: Hash of everything that all rows depend on, at most 64 bytes.
        rows: Rows as bytes.

    Returns:
        Keys, ``(rows, 2)``.
    """
    data = b"".join(hashlib.blake2b(row, digest_size=16, key=space).digest() for row in rows)
    return np.frombuffer(data, dtype="<i8").reshape(-1, 2).copy()


def new_name() -> str:
    """Make a unique name of a segment: time, process, random part; older segments sort first."""
    return f"{time.time_ns():016x}-{owner()}-{secrets.token_hex(4)}{SUFFIX}"


def owner_of(name: str) -> str:
    """Return the `owner` in the name of a segment or of its temporary file."""
    return name.split("-")[1] if "-" in name else ""


def write_segment(
    path: Path, space: bytes, keys: Keys, lengths: NDArray[np.int64], states: Tensor
) -> None:
    """Write a segment atomically: the file exists whole or not at all.

    Args:
        path: The file.
        space: Hash of everything that all rows depend on.
        keys: Keys of the rows, ``(rows, 2)``.
        lengths: Tokens of each row, ``(rows,)``.
        states: States of the rows, one after the other, ``(tokens, width)``, on the CPU.

    Raises:
        UserError: If the disk is full or the folder can't be written.
    """
    offsets = offsets_of(lengths)
    hashes = hash_rows(states, offsets[:-1], offsets[1:])
    index = {"keys": keys, "lengths": lengths, "hashes": hashes}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in index.items()}
    metadata = {FORMAT: _digest(space, keys, lengths, hashes)}
    with atomic_file(path) as temporary:
        save_file({**tensors, "states": states.contiguous()}, str(temporary), metadata=metadata)


def open_segment(path: Path, space: bytes, width: int, dtype: torch.dtype) -> Segment:
    """Read the index of a segment, and map its states without loading them.

    Args:
        path: The file.
        space: As for `write_segment`.
        width: Features of a state.
        dtype: Type of the states.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedSegmentError: If the file is cut, or its index differs from the written one.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            told = file.metadata() or {}
            keys, lengths, hashes = (
                file.get_tensor(name).numpy().copy() for name in ("keys", "lengths", "hashes")
            )
            states = file.get_tensor("states")
    except FileNotFoundError:
        raise
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise DamagedSegmentError(str(error)) from None
    fits = told == {FORMAT: _digest(space, keys, lengths, hashes)}
    if not fits or states.dtype != dtype or states.shape != (lengths.sum(), width):
        raise DamagedSegmentError("the index is not what was written")
    return Segment(path, keys, offsets_of(lengths), hashes, states)


def hash_rows(
    states: Tensor, begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Hash the bytes of rows of states.

    Args:
        states: States ``(tokens, width)``, contiguous, on the CPU.
        begins: The first token of each row, ``(rows,)``.
        ends: One past the last token of each row, ``(rows,)``.
    """
    raw: Any = states.detach().view(torch.uint8).numpy()
    data = memoryview(raw).cast("B")
    size = states.shape[1] * states.element_size()
    spans = zip((begins * size).tolist(), (ends * size).tolist(), strict=True)
    hashes = [xxhash.xxh3_64_intdigest(data[begin:end]) for begin, end in spans]
    return np.array(hashes, dtype=np.uint64).view(np.int64)


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first token of each row, and the number of all tokens, ``(rows + 1,)``."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def _digest(space: bytes, *index: NDArray[np.int64]) -> str:
    state = xxhash.xxh3_128(space)
    for part in index:
        state.update(f"{part.dtype} {part.shape};".encode())
        state.update(np.ascontiguousarray(part).tobytes())
    return str(state.hexdigest())
