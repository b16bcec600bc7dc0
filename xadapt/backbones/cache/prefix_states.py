"""The prefix cache: states below the first module are constants, computed once for each row."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from xadapt.backbones.cache.frozen_vectors import trim
from xadapt.backbones.cache.reuse import Key
from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file

logger = logging.getLogger(__name__)

PIECE = 1024
LIMIT_BYTES = 16 * 1024**3
MEMORY_BYTES = 512 * 1024**2


class PrefixStates:
    """What enters a layer, for rows of token ids on which nothing acts below it.

    States lie by pieces on disk and are mapped into memory, so the system keeps of them what fits;
    without a folder they are in memory. A piece is named by everything its states depend on.

    Rows are either added beforehand (`add`, as training does, which reads each many times), or
    taken in as forwards meet them (`entering`), which costs no forward more than without. It is
    handed to forwards as the cache of their activation.

    Args:
        encoder: The frozen encoder.
        start: The layer, 1 or higher.
        folder: Where pieces lie; ``None`` keeps them in memory alone.
        limit: Bytes that all states may take at most; rows that would take more are not kept.
        memory: Bytes that are held in memory before pieces go to the folder.
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
        self.folder = folder / "prefix" if folder else None
        self.bytes = 0
        self._place: dict[Key, tuple[int, int]] = {}
        self._pieces: list[Tensor] = []
        self.reused = 0

    def add(self, keys: Sequence[Key], progress: Callable[[int], None] | None = None) -> None:
        """Compute the states of rows, unless all of them would take too much.

        Args:
            keys: Token ids of each row, and where its second segment begins, if it has one.
            progress: Told how many rows are done.
        """
        new = self._missing(keys)
        if not self._room(new):
            logger.warning("states of %d rows would take too much: they are not kept", len(new))
            return
        for first in range(0, len(new), PIECE):
            some = new[first : first + PIECE]
            self.bytes += self._size(some)
            self._pieces.append(self._piece(some))
            offset = 0
            for key in some:
                self._place[key] = len(self._pieces) - 1, offset
                offset += len(key[0])
            if progress:
                progress(len(some))

    def has(self, keys: Sequence[Key]) -> bool:
        """Whether the states of all these rows are there."""
        return all(key in self._place for key in keys)

    def entering(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """As `batch`, for any rows; equal rows that are not there are computed once."""
        new = self._missing(keys)
        if not new or self._room(new):
            self.add(new)
            return self.batch(keys)
        made = self._compute(new).split([len(row) for row, _ in new])
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
            hidden[number, :length] = beside[key] if beside and key in beside else self._of(key)
            mask[number, :length] = 1
        return hidden.to(self.encoder.device), mask.to(self.encoder.device)

    def _of(self, key: Key) -> Tensor:
        piece, offset = self._place[key]
        return self._pieces[piece][offset : offset + len(key[0])]

    def _missing(self, keys: Sequence[Key]) -> list[Key]:
        return [key for key in dict.fromkeys(keys) if key not in self._place]

    def _size(self, keys: Sequence[Key]) -> int:
        width = self.encoder.width * self.encoder.dtype.itemsize
        return sum(len(row) for row, _ in keys) * width

    def _room(self, keys: Sequence[Key]) -> bool:
        return self.bytes + self._size(keys) <= self.limit

    def _piece(self, keys: list[Key]) -> Tensor:
        on_disk = self.folder is not None and self.bytes > self.memory
        path = self.folder / f"{self._name(keys)}.safetensors" if self.folder and on_disk else None
        tokens = sum(len(row) for row, _ in keys)
        known = _read(path) if path else None
        if known is not None and known.shape == (tokens, self.encoder.width):
            self.reused += len(keys)
            return known
        states = self._compute(keys)
        if path is None or not self._keep(path, states):
            return states
        again = _read(path)
        return states if again is None else again

    def _compute(self, keys: list[Key]) -> Tensor:
        found: list[Tensor] = [torch.empty(0)] * len(keys)
        rows = [row for row, _ in keys]
        for both in (True, False):  # rows of one segment and of two are told apart
            own = [i for i, (_, second) in enumerate(keys) if (second is not None) == both]
            begins = [keys[i][1] or 0 for i in own] if both else None
            chosen = [rows[i] for i in own]
            with torch.no_grad():
                made = token_states(self.encoder, chosen, second=begins, stop=self.start)
                for chunk, states in made:
                    for number, state in zip(chunk, states, strict=True):
                        found[own[number]] = state[: len(chosen[number])].cpu()
        return torch.cat(found)

    def _keep(self, path: Path, states: Tensor) -> bool:
        """Write a piece; without a cache a run is slower and as good."""
        try:
            with atomic_file(path) as temporary:
                save_file({"states": states}, str(temporary))
            trim(path.parent, self.limit)
        except (UserError, OSError) as error:
            logger.warning("states are not kept for the next run: %s", error)
            self.folder = None
            return False
        return True

    def _name(self, keys: list[Key]) -> str:
        e = self.encoder
        facts = [e.fingerprint, e.arithmetic, e.device.type, self.start]
        return hashlib.sha256(json.dumps([facts, keys]).encode()).hexdigest()


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


def _read(path: Path) -> Tensor | None:
    try:
        states = load_file(str(path))["states"]
        with contextlib.suppress(PermissionError):
            os.utime(path)
        return states
    except (OSError, SafetensorError, KeyError):
        return None
