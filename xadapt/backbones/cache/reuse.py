"""Cached states at which forwards may begin, instead of at the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

Row = tuple[int, ...]
Key = tuple[Row, int | None]
"""Token ids of a row, and the position of its second segment; ``None`` if it has none."""


class Kept(Protocol):
    """A cache of the states that enter one layer of an encoder, by row.

    Attributes:
        start: The layer.
    """

    start: int

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """Return states ``(batch, tokens, width)`` and mask ``(batch, tokens)`` of rows.

        States that are not cached are computed.
        """
