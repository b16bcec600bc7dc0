"""Frozen vectors: a text is encoded once by the bare encoder, then looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from xadapt.backbones.cache.activations import ActivationCache
from xadapt.backbones.cache.folder import cache_folder as cache_folder
from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.cache.rows import Progress
from xadapt.backbones.encoder.encoder import Encoder

PIECE = 4096


class FrozenVectors:
    """A cache of sentence vectors under the bare encoder: a view of `ActivationCache`.

    Args:
        encoder: The frozen encoder.
        folder: Folder of the cache; ``None`` keeps the vectors only in memory.
    """

    def __init__(self, encoder: Encoder, folder: Path | None) -> None:
        self.encoder = encoder
        self._cache = ActivationCache.for_texts(encoder, folder)
        self._sealed = 0

    @property
    def reused(self) -> int:
        """Number of texts that were found on disk."""
        return self._cache.reused

    def add(
        self,
        texts: Iterable[str],
        progress: Progress | None = None,
        cache: Kept | None = None,
    ) -> None:
        """Add the vectors of texts to the cache.

        Args:
            texts: Any number of texts.
            progress: A function that is called with the number of newly done texts.
            cache: A cache of states at which the forwards may begin, and to which they may add.

        Raises:
            UserError: If vectors must be computed while a module is merged into the encoder.
        """
        self._cache.piece_rows = PIECE
        self._cache.add(list(texts), progress, below=cache)

    def missing(self, texts: Iterable[str]) -> int:
        """Count the distinct texts that have no vector yet."""
        return len(self._cache.missing(list(texts)))

    def get(self, texts: Sequence[str], cache: Kept | None = None) -> Tensor:
        """Return the vectors ``(n, dim)`` of texts, in fp32 on the encoder's device.

        Args:
            texts: Any number of texts.
            cache: As for `add`.

        Raises:
            UserError: If vectors must be computed while a module is merged into the encoder.
        """
        self.add(texts, cache=cache)
        return self._cache.gather(texts).to(self.encoder.device)

    def seal(self) -> None:
        """Mark the current vectors as the only ones that `fixed` looks up."""
        self._sealed = len(self._cache)

    def fixed(self, texts: Sequence[str]) -> Tensor:
        """Return vectors as `get` does, but encode texts added after `seal` anew, without adding.

        The vectors of a step thus depend only on the step, not on earlier steps. A resumed run is
        bitwise equal to an uninterrupted run.
        """
        new = [text for text in dict.fromkeys(texts) if not self._is_sealed(text)]
        if not new:
            return self.get(texts)
        own = dict(zip(new, self._cache.compute(new), strict=True))
        rows = [own[text] if text in own else self._cache.row(text)[0] for text in texts]
        return torch.stack(rows).to(self.encoder.device)

    def pin(self, folder: Path) -> None:
        """Keep the segments that a run uses: see `ActivationCache.pin`."""
        self._cache.pin(folder)

    def unpin(self) -> None:
        """Stop keeping segments: see `ActivationCache.unpin`."""
        self._cache.unpin()

    def _is_sealed(self, text: str) -> bool:
        number = self._cache.number(text)
        return number is not None and number < self._sealed
