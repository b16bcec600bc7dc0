"""Rows of a cache that need no encoder: numbers, with states that are seen to be theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xadapt.backbones.cache.segments import keys_of, new_name, write_segment

SPACE = b"numbers".ljust(16, b"\0")


class Numbered:
    """Numbers ``n`` of ``1 + n % 3`` tokens, whose states are all ``n + shift``.

    Attributes:
        computed: All rows that were computed, by piece.
    """

    def __init__(self, layer: int | None = 1, shift: float = 0.0, width: int = 4) -> None:
        self.layer, self.shift, self.width, self.dtype = layer, shift, width, torch.float32
        self.computed: list[list[int]] = []

    def space(self) -> bytes:
        """One space."""
        return SPACE

    def encoded(self, row: int) -> bytes:
        """The number in decimals."""
        return str(row).encode()

    def lengths(self, rows: Sequence[int]) -> np.ndarray:
        """One token where sentence vectors are meant."""
        return np.array([1 if self.layer is None else 1 + row % 3 for row in rows], dtype=int)

    def compute(
        self, rows: list[int], progress: Callable[[int], None] | None, below: object = None
    ) -> Tensor:
        """States that tell the row and the shift."""
        self.computed.append(list(rows))
        if progress:
            progress(len(rows))
        sizes = zip(rows, self.lengths(rows).tolist(), strict=True)
        parts = [torch.full((size, self.width), row + self.shift) for row, size in sizes]
        return torch.cat(parts)

    def write(self, folder: Path, rows: list[int], name: str = "") -> Path:
        """Put a segment of some rows into a folder of segments."""
        path = folder / SPACE.hex() / (name or new_name())
        keys = keys_of(SPACE, map(self.encoded, rows))
        write_segment(path, SPACE, keys, self.lengths(rows), self.compute(rows, None))
        self.computed.clear()
        return path


def flip(path: Path, place: int) -> None:
    """Change a byte of a file; who has it mapped sees it too."""
    with path.open("r+b") as file:
        file.seek(place)
        [byte] = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 255]))
