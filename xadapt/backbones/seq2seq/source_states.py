"""States of sources after the whole encoder of an encoder-decoder, computed once a source."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.backbones.cache.activations import ActivationCache
from xadapt.backbones.cache.prefix_states import LIMIT_BYTES
from xadapt.backbones.cache.reuse import Kept, Row
from xadapt.backbones.cache.rows import Progress, space_of
from xadapt.backbones.encoder.encode import chunks
from xadapt.backbones.seq2seq.decoding import Encoded
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq

logger = logging.getLogger(__name__)

BATCH_TOKENS = 4096


class SourceRows:
    """Rows of token ids, each with the states of its tokens after the encoder.

    Args:
        seq2seq: The frozen encoder-decoder.
    """

    def __init__(self, seq2seq: Seq2Seq) -> None:
        self.seq2seq = seq2seq
        self.layer: int | None = seq2seq.encoder_depth
        self.width, self.dtype = seq2seq.width, seq2seq.dtype

    def space(self) -> bytes:
        """Hash base, tokenizer, arithmetic and device type."""
        return space_of(self.seq2seq, "sources")

    def encoded(self, row: Row) -> bytes:
        """Return the token ids as bytes."""
        return array("i", row).tobytes()

    def lengths(self, rows: Sequence[Row]) -> NDArray[np.int64]:
        """Return the number of tokens of each row: one state per token."""
        return np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))

    def compute(
        self, rows: list[Row], progress: Progress | None = None, below: Kept | None = None
    ) -> Tensor:
        """Compute the states of rows under the bare base, without padding, ``(tokens, width)``."""
        found: list[Tensor] = [torch.empty(0)] * len(rows)
        with torch.no_grad(), self.seq2seq.active(None):
            for chunk in chunks([len(row) for row in rows], BATCH_TOKENS):
                states = self.seq2seq.encode([rows[i] for i in chunk]).states
                for i, own in zip(chunk, states, strict=True):
                    found[i] = own[: len(rows[i])].to(self.dtype).cpu()
        if progress:
            progress(len(rows))
        return torch.cat(found)


class SourceStates:
    """A cache of encoded sources, for a decoder whose encoder no module acts on.

    It is a view of `ActivationCache`, as `PrefixStates` is for encoders.

    Args:
        seq2seq: The frozen encoder-decoder.
        folder: Folder of the cache; ``None`` keeps the states only in memory.
        limit: Maximum bytes of all states; sources beyond this limit are not kept.
    """

    def __init__(self, seq2seq: Seq2Seq, folder: Path | None, limit: int = LIMIT_BYTES) -> None:
        self.seq2seq, self.limit = seq2seq, limit
        rows = SourceRows(seq2seq)
        self._cache: ActivationCache[Row] = ActivationCache(seq2seq, rows, folder)

    def add(self, rows: Sequence[Row], progress: Progress | None = None) -> None:
        """Add the states of sources, unless all new ones together exceed the limit.

        Args:
            rows: Token ids of each source.
            progress: A function that is called with the number of sources done.
        """
        new = self._cache.missing(rows)
        if self._cache.bytes + self._cache.size(new) > self.limit:
            logger.warning("states of %d sources would take too much: they are not kept", len(new))
            return
        self._cache.add(new, progress)

    def has(self, rows: Sequence[Row]) -> bool:
        """Whether the states of all these sources are cached."""
        return all(self._cache.number(row) is not None for row in rows)

    def batch(self, rows: Sequence[Row]) -> Encoded:
        """Return cached sources, padded on the right with zeros, on the base's device."""
        longest = max(map(len, rows))
        states = torch.zeros(len(rows), longest, self.seq2seq.width, dtype=self.seq2seq.dtype)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for number, row in enumerate(rows):
            states[number, : len(row)] = self._cache.row(row)
            mask[number, : len(row)] = 1
        return Encoded(states.to(self.seq2seq.device), mask.to(self.seq2seq.device))

    def pin(self, folder: Path) -> None:
        """Keep the segments that a run uses: see `ActivationCache.pin`."""
        self._cache.pin(folder)

    def unpin(self) -> None:
        """Stop keeping segments: see `ActivationCache.unpin`."""
        self._cache.unpin()
