"""Read and normalise a set of vectors in parts, in memory or on disk.

Cosines here have one exact value on every device. Unit vectors are rounded to multiples of
2**-26. A product of two such numbers is a multiple of 2**-52, and by Cauchy and Schwarz no part of
their dot product exceeds 2, so that float64 stores every partial sum without rounding: the float64
dot product is exact in any order, in any block and on any device. The score is that number rounded
to float32. So equal vectors always have equal scores, and the nearest vector does not depend on
the order of additions in a library.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.core.errors import UserError

Vectors = NDArray[np.floating] | Tensor
GRID = 2.0**26
ROWS = 1024


@dataclass(frozen=True)
class Side:
    """Vectors ``(n, dim)`` with the values to compute their unit vectors.

    Attributes:
        vectors: The given vectors. Only the requested parts of a NumPy memmap are read.
        lengths: ``(n,)``, float64; 1 for a zero vector.
        device: Device of the unit vectors.
        made: Whether the vectors are already unit vectors.
    """

    vectors: Vectors
    lengths: Tensor
    device: torch.device
    made: bool = False

    @classmethod
    def of(cls, vectors: Vectors, name: str, device: torch.device | None = None) -> Side:
        """Read all vectors once and check them.

        Args:
            vectors: ``(n, dim)``, any float type, array, memmap or tensor.
            name: Name of the vectors in errors.
            device: Device of the unit vectors. The default is the device of the tensor, or the CPU.

        Raises:
            UserError: If the shape is not ``(n, dim)``, there is no vector, or a vector contains
                NaN or infinity.
        """
        if vectors.ndim != 2 or not len(vectors):
            raise UserError(f"the {name} must be (n, dim) vectors, not {tuple(vectors.shape)}")
        if device is None:
            device = vectors.device if isinstance(vectors, Tensor) else torch.device("cpu")
        parts = []
        for start, stop in spans(len(vectors), ROWS):
            parts.append(_plain(vectors[start:stop], device).double().norm(dim=1))
        lengths = torch.cat(parts)
        bad = torch.nonzero(~torch.isfinite(lengths))
        if len(bad):
            raise UserError(
                f"{len(bad)} of {len(lengths)} vectors of the {name} hold NaN or infinity, "
                f"the first at position {int(bad[0])}",
                todo="Check the module and the data type it runs in",
            )
        return cls(vectors, torch.where(lengths > 0, lengths, 1.0), device)

    @classmethod
    def of_units(cls, units: Tensor) -> Side:
        """Return a side of vectors from `units`, without changes."""
        return cls(units, torch.ones(len(units), device=units.device), units.device, made=True)

    def held(self) -> Side:
        """Return the same with all unit vectors in memory."""
        return self if self.made else Side.of_units(self.units(0, len(self)))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """The number of dimensions."""
        return self.vectors.shape[1]

    def units(self, start: int, stop: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Compute unit vectors ``(stop - start, dim)`` of a span."""
        if self.made and isinstance(self.vectors, Tensor):
            return self.vectors[start:stop].to(dtype)
        made = torch.empty(stop - start, self.dim, dtype=dtype, device=self.device)
        for first, last in spans(stop - start, ROWS):
            part = _plain(self.vectors[start + first : start + last], self.device)
            made[first:last] = _unit(part, self.lengths[start + first : start + last])
        return made

    def at(self, positions: Tensor) -> Tensor:
        """Compute unit vectors ``(len(positions), dim)`` of some positions, float32."""
        if isinstance(self.vectors, Tensor):
            part = _plain(self.vectors[positions.to(self.vectors.device)], self.device)
        else:
            part = _plain(self.vectors[positions.cpu().numpy()], self.device)
        return part if self.made else _unit(part, self.lengths[positions])

    def lost(self, dtype: torch.dtype) -> Tensor:
        """Compute float32 norms ``(n,)`` of the rounding errors of unit vectors in ``dtype``."""
        if dtype == torch.float32:
            return torch.zeros(len(self), device=self.device)
        parts = []
        for start, stop in spans(len(self), ROWS):
            exact = self.units(start, stop)
            parts.append((exact - exact.to(dtype).float()).norm(dim=1))
        return torch.cat(parts) * (1 + 2**-12)


def spans(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of consecutive parts of at most ``size``."""
    for start in range(0, count, size):
        yield start, min(start + size, count)


def _plain(vectors: Vectors, device: torch.device) -> Tensor:
    if not isinstance(vectors, Tensor):
        vectors = torch.from_numpy(np.require(vectors, np.float32, ["C", "W", "O"]))
    return vectors.detach().to(device).float()


def _unit(vectors: Tensor, lengths: Tensor) -> Tensor:
    units = (vectors.double() / lengths[:, None]).float()
    return units.mul_(GRID).round_().div_(GRID)
