"""Shards that actors of ray compute; the process that started them writes the folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from xadapt.backbones.encoder.long_texts import CutCount, counting_cut
from xadapt.data.readers.text_stream import Row
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.encoder_spec import EncoderSpec
from xadapt.inference.fallback_language import FallbackLanguageWarning


@dataclass(frozen=True)
class Encoded:
    """The vectors ``(rows, dim)`` of a shard, and how many of its texts were cut."""

    vectors: NDArray[np.float32]
    cut: int


@dataclass(frozen=True)
class Remote:
    """How actors encode.

    Attributes:
        spec: The encoder.
        workers: Number of actors.
        speaks: Whether the texts have languages.
        windows: As for `AdaptedEncoder.encode`.
        batch_size: As for `AdaptedEncoder.encode`.
        normalize: Whether each vector is divided by its norm.
    """

    spec: EncoderSpec
    workers: int
    speaks: bool
    windows: str
    batch_size: int | None
    normalize: bool

    def encode(self, adapted: AdaptedEncoder, block: list[Row]) -> Encoded:
        """Encode the rows of a shard as `encode_shards` does in one process."""
        texts, tags = [text for text, _ in block], [tag for _, tag in block]
        cut = CutCount()
        with warnings.catch_warnings(), counting_cut(cut):
            warnings.simplefilter("ignore", FallbackLanguageWarning)
            vectors = adapted.encode(
                texts,
                tags if self.speaks else None,
                batch_size=self.batch_size,
                windows=self.windows,
                show_progress_bar=False,
            )
        if self.normalize:
            vectors = F.normalize(torch.from_numpy(vectors), dim=1).numpy()
        return Encoded(vectors, cut.cut)

    def run(
        self,
        blocks: Iterable[tuple[int, list[Row]]],
        arrived: Callable[[int, list[Row], Encoded], None],
    ) -> None:
        """Encode blocks, and hand over each as it is ready.

        Args:
            blocks: Numbers and rows of shards.
            arrived: Receives the number, the rows and the vectors.

        Raises:
            UserError: If ray is not installed, or its actors die again and again.
        """
        from xadapt.integrations.ray import RayPool

        pool = RayPool(self.spec, self.workers, self.encode)
        kept: dict[int, list[Row]] = {}

        def pieces() -> Iterator[tuple[int, list[Row]]]:
            for number, block in blocks:
                kept[number] = block
                yield number, block

        try:
            for number, made in pool.map(pieces()):
                arrived(number, kept.pop(number), made)
        finally:
            pool.close()
