"""Prefix states: the states that enter the first layer with an adapter, computed once per row."""

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
    """A cache of the states that enter a layer, for rows without an active adapter below the layer.

    The cache is a view of `ActivationCache`. Training adds rows beforehand with `add`, because it
    reads each row many times. Otherwise rows are added when a forward needs them (`entering`),
    without additional forwards. Forwards get this object as the cache of their activation.

    Args:
        encoder: The frozen encoder.
        start: The layer, 1 or higher.
        folder: Folder of the cache; ``None`` keeps the states only in memory.
        limit: Maximum bytes of all states; rows beyond this limit are not kept.
        memory: Bytes held in memory before states go to the folder.
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
        """Bytes of all cached states."""
        return self._cache.bytes

    @property
    def reused(self) -> int:
        """Number of rows that were found on disk."""
        return self._cache.reused

    def add(self, keys: Sequence[Key], progress: Callable[[int], None] | None = None) -> None:
        """Add the states of rows to the cache, unless all new rows together exceed the limit.

        Args:
            keys: Token ids of each row, and the position of its second segment, if it has one.
            progress: A function that is called with the number of rows done.

        Raises:
            UserError: If states must be computed while a module is merged into the base.
        """
        new = self._cache.missing(keys)
        if not self._room(new):
            logger.warning("states of %d rows would take too much: they are not kept", len(new))
            return
        self._add(new, progress, flush=True)

    def has(self, keys: Sequence[Key]) -> bool:
        """Whether the states of all these rows are cached."""
        return all(self._cache.number(key) is not None for key in keys)

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """Return a batch as `batch` does, but for any rows; rows that are not cached are computed.

        Equal rows are computed once. The new rows are added to the cache if the limit allows.
        """
        new = self._cache.missing(keys)
        if not new or self._room(new):
            self._add(new, None, flush=False)
            return self.batch(keys)
        made = self._cache.compute(new).split([len(row) for row, _ in new])
        return self.batch(keys, dict(zip(new, made, strict=True)))

    def batch(
        self, keys: Sequence[Key], beside: Mapping[Key, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the states of rows, padded on the right with zeros.

        Args:
            keys: Rows that are cached or in ``beside``.
            beside: States ``(tokens, width)`` of rows that are not cached.

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
        """Write the rows from forwards that do not fill a piece yet."""
        self._cache.flush()

    def pin(self, folder: Path) -> None:
        """Keep the segments that a run uses: see `ActivationCache.pin`."""
        self._cache.pin(folder)

    def unpin(self) -> None:
        """Stop keeping segments: see `ActivationCache.unpin`."""
        self._cache.unpin()

    def _add(self, new: Sequence[Key], progress: Callable[[int], None] | None, flush: bool) -> None:
        self._cache.piece_rows = PIECE
        self._cache.add(new, progress, flush=flush)

    def _room(self, keys: Sequence[Key]) -> bool:
        return self.bytes + self._cache.size(keys) <= self.limit


def shared_states(encoder: Encoder, start: int, folder: Path | None = None) -> PrefixStates | None:
    """Make a cache of the states that enter a layer, for forwards over the same rows.

    Commands use the cache if they encode the same texts with several systems. Up to 512 MiB of
    states stay in memory; further states go to the folder. A command that needs less writes
    nothing.

    Args:
        encoder: The frozen encoder.
        start: The lowest layer with an active adapter in all these forwards.
        folder: The folder for states beyond memory, up to 16 GiB; without a folder, those states
            are not kept.

    Returns:
        The cache; ``None`` if the layer is below 1, because there are no states to keep.
    """
    if start < 1:
        return None
    limit = LIMIT_BYTES if folder else MEMORY_BYTES
    return PrefixStates(encoder, start, folder, limit, MEMORY_BYTES)
