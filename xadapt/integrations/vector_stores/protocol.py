"""What every vector store does: keep rows by their ids, and find the nearest of a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError

Metric = Literal["cosine", "dot"]
BATCH = 1000
"""Rows of one write."""


@dataclass(frozen=True)
class Stored:
    """One row.

    Attributes:
        id: Its id; a row that is written again replaces the one of its id.
        text: Its text.
        title: Its title, if it has one.
    """

    id: str
    text: str = ""
    title: str = ""


class Store(Protocol):
    """A table of vectors."""

    def prepare(self, dim: int, metric: Metric) -> None:
        """Make the table, unless it is there.

        Raises:
            UserError: If the table holds vectors of another size, or can't be made.
        """

    def upsert(self, rows: Sequence[Stored], vectors: NDArray[np.float32]) -> None:
        """Write rows with vectors ``(n, dim)``; rows with the same ids are replaced.

        Raises:
            UserError: If the store can't be written.
        """

    def count(self) -> int:
        """Return the number of rows."""

    def search(self, vectors: NDArray[np.float32], k: int) -> list[list[tuple[Stored, float]]]:
        """Find the nearest rows of each vector ``(n, dim)``, best first, with their similarity.

        Raises:
            UserError: If the table is not there, or the store can't be read.
        """

    def close(self) -> None:
        """Let go of the store."""


def other_size(where: str, there: int, dim: int) -> UserError:
    """Return the error of a table with vectors of another size."""
    return UserError(
        f"the table holds vectors of {there} numbers, and these have {dim}",
        where=where,
        todo="Name another table with --table",
    )


def unreachable(where: str, error: Exception) -> UserError:
    """Return the error of a store that can't be used."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return UserError(f"the vector store can't be used: {lines[0][:200]}", where=where)
