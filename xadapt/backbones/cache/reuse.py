"""What the forwards of an encoder share: kept states, and from which layer on something acts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


class Reuse:
    """Says for one encoder whether a forward may begin at kept states.

    All that acts on the encoder tells its lowest layer here while it is on (`touching`). A forward
    begins at the kept states only where nothing on it just now acts below them, so states can't
    be met by rows they are not for, whoever keeps them.
    """

    def __init__(self) -> None:
        self.kept: Kept | None = None
        self._touched: list[int] = []

    @contextmanager
    def touching(self, layer: int) -> Iterator[None]:
        """Tell that something acts inside the block.

        Args:
            layer: The lowest layer it acts in, -1 for the embeddings.
        """
        self._touched.append(layer)
        try:
            yield
        finally:
            self._touched.remove(layer)

    @contextmanager
    def using(self, kept: Kept) -> Iterator[None]:
        """Let forwards inside the block begin at kept states; in a block around it others were."""
        before, self.kept = self.kept, kept
        try:
            yield
        finally:
            self.kept = before

    def lowest(self, depth: int) -> int:
        """The lowest layer that something acts in just now, ``depth`` if nothing does."""
        return min(self._touched, default=depth)

    def up_to(self, stop: int | None) -> Kept | None:
        """The states that a forward up to a layer, ``None`` for all, may begin at just now."""
        kept = self.kept
        if kept is None or min(self._touched, default=kept.start) < kept.start:
            return None
        return kept if stop is None or stop > kept.start else None
