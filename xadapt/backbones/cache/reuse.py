"""States that forwards may begin at instead of at the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

Row = tuple[int, ...]
Key = tuple[Row, int | None]
"""Token ids of a row, and where its second segment begins, if it has one."""


class Kept(Protocol):
    """States that enter one layer of an encoder, by row.

    Attributes:
        start: The layer.
    """

    start: int

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """States ``(batch, tokens, width)`` and mask ``(batch, tokens)``, made if not there."""
