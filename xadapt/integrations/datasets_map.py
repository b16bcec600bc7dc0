"""datasets: an encoder with modules as a function for ``Dataset.map``, over processes and GPUs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class BatchEncoder:
    """A function for ``Dataset.map(..., batched=True, with_rank=True)``.

    Each process loads the encoder once, when its first batch comes. On a machine with GPUs,
    process ``n`` takes GPU ``n`` modulo their number.

    ```python
    encode = BatchEncoder(EncoderSpec("mini", ("sw",)), language="sw")
    rows = rows.map(encode, batched=True, with_rank=True, num_proc=2)
    ```

    Args:
        load: Loads the encoder, such as `xadapt.inference.encoder_spec.EncoderSpec`. It is sent to
            the processes.
        column: Column of the texts.
        output: Column of the vectors.
        language: Language of all texts.
        language_column: Column of the languages.
        **options: Options of the encoder's ``encode``.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        column: str = "text",
        output: str = "vector",
        language: str | None = None,
        language_column: str | None = None,
        **options: Any,
    ) -> None:
        self.load, self.column, self.output, self.language = load, column, output, language
        self.language_column, self.options = language_column, options
        self._model: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": None}

    def __call__(self, batch: Mapping[str, Any], rank: int | None = None) -> dict[str, Any]:
        """Return the vectors of a batch, ``(rows, dim)``."""
        if self._model is None:
            self._model = self.load()
            self._place(rank or 0)
        tags: Any = self.language
        if self.language_column is not None:
            tags = list(batch[self.language_column])
        texts = list(batch[self.column])
        vectors = self._model.encode(texts, tags, show_progress_bar=False, **self.options)
        return {self.output: np.asarray(vectors)}

    def _place(self, rank: int) -> None:
        import torch

        if torch.cuda.is_available():
            self._model.to(f"cuda:{rank % torch.cuda.device_count()}")
