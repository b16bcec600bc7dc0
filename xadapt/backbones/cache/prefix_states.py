"""Prefix states: what enters the first layer that something acts in is computed once a row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from xadapt.backbones.cache.activations import ActivationCache
from xadapt.backbones.cache.reuse import Key
from xadapt.backbones.encoder.encoder import Encoder

logger = logging.getLogger(__name__)

PIECE = 1024
LIMIT_BYTES = 16 * 1024**3
MEMORY_BYTES = 512 * 1024**2


class PrefixStates:
    """States that enter a layer, for rows on which nothing acts below it.

    A view of `ActivationCache`. Rows are either added beforehand (`add`, as training does, which
    reads each many times), or taken in as forwards meet them (`entering`), which costs no forward
    more than without. It is handed to forwards as the cache of their activation.

    Args:
        encoder: The frozen encoder.
        start: The layer, 1 or higher.
        folder: Folder of the cache; ``None`` keeps the states in memory alone.
        limit: Bytes that all states may take at most; rows that would take more are not kept.
        memory: Bytes that are held in memory before states go to the folder.
    """

    def __init__(
        self,
        encoder: Encoder,
        start: int,
        folder: Path | None,
        limit: int = LIMIT_BYTES,
        memory: int = 0,
    ) -> None:
        self.encoder, self.start, self.limit, self.memory = encoder, start, limit, memory
        self._cache = ActivationCache.for_layer(encoder, start, folder, memory=memory)

    @property
    def bytes(self) -> int:
        """Bytes of all states that are there."""
        return self._cache.bytes

    @property
    def reused(self) -> int:
        """How many rows were found on disk."""
        return self._cache.reused

    def add(self, keys: Sequence[Key], progress: Callable[[int], None] | None = None) -> None:
        """Compute the states of rows, unless all of them would take too much.

        Args:
            keys: Token ids of each row, and where its second segment begins, if it has one.
            progress: Called with the number of rows done.

        Raises:
            UserError: If some must be computed while a module is merged into the base.
        """
        new = self._cache.missing(keys)
        if not self._room(new):
            logger.warning("states of %d rows would take too much: they are not kept", len(new))
            return
        self._add(new, progress, flush=True)

    def has(self, keys: Sequence[Key]) -> bool:
        """Whether the states of all these rows are there."""
        return all(self._cache.number(key) is not None for key in keys)

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """As `batch`, for any rows; equal rows that are not there are computed once."""
        new = self._cache.missing(keys)
        if not new or self._room(new):
            self._add(new, None, flush=False)
            return self.batch(keys)
        made = self._cache.compute(new).split([len(row) for row, _ in new])
        return self.batch(keys, dict(zip(new, made, strict=True)))

    def batch(
        self, keys: Sequence[Key], beside: Mapping[Key, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The states of rows, padded on the right with zeros.

        Args:
            keys: Rows that are there.
            beside: States ``(tokens, width)`` of those that are not.

        Returns:
            States ``(batch, tokens, width)`` and mask ``(batch, tokens)``, on the device.
        """
        longest = max(len(row) for row, _ in keys)
        hidden = torch.zeros(len(keys), longest, self.encoder.width, dtype=self.encoder.dtype)
        mask = torch.zeros(len(keys), longest, dtype=torch.long)
        for number, key in enumerate(keys):
            length = len(key[0])
            own = beside[key] if beside and key in beside else self._cache.row(key)
            hidden[number, :length] = own
            mask[number, :length] = 1
        return hidden.to(self.encoder.device), mask.to(self.encoder.device)

    def flush(self) -> None:
        """Write the rows that forwards left and that fill no piece yet."""
        self._cache.flush()

    def pin(self, folder: Path) -> None:
        """As `ActivationCache.pin`."""
        self._cache.pin(folder)

    def unpin(self) -> None:
        """As `ActivationCache.unpin`."""
        self._cache.unpin()

    def _add(self, new: Sequence[Key], progress: Callable[[int], None] | None, flush: bool) -> None:
        self._cache.piece_rows = PIECE
        self._cache.add(new, progress, flush=flush)

    def _room(self, keys: Sequence[Key]) -> bool:
        return self.bytes + self._cache.size(keys) <= self.limit


def shared_states(encoder: Encoder, start: int, folder: Path | None = None) -> PrefixStates | None:
    """A cache of what enters a layer, for forwards that read the same rows.

    For commands that read the same texts through several systems. Up to 512 MiB of states stay in
    memory, more lie in the folder; a command that stays below writes nothing.

    Args:
        encoder: The frozen encoder.
        start: The lowest layer that something acts in, in all these forwards.
        folder: Where states beyond that go, up to 16 GiB; without it they are not kept.

    Returns:
        The cache; ``None`` if the layer is below 1, where there is nothing to keep.
    """
    if start < 1:
        return None
    limit = LIMIT_BYTES if folder else MEMORY_BYTES
    return PrefixStates(encoder, start, folder, limit, MEMORY_BYTES)
