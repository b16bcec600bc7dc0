"""Rows of a cache: their keys, their lengths, and the computation of their states."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xadapt.backbones.cache.reuse import Kept, Key
from xadapt.backbones.cache.segments import FORMAT
from xadapt.backbones.encoder.encode import dimension, encode, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.windows import FIRST
from xadapt.backbones.frames import Bare
from xadapt.backbones.protocol import Attachable

Progress = Callable[[int], None]
R = TypeVar("R")


class Rows(Protocol[R]):
    """The interface of one kind of rows under one encoder.

    Attributes:
        layer: The layer that their states enter; ``None`` for sentence vectors.
        width: Features of a state.
        dtype: Type of the states.
    """

    layer: int | None
    width: int
    dtype: torch.dtype

    def space(self) -> bytes:
        """Hash everything except the row that the states depend on; 16 bytes."""

    def encoded(self, row: R) -> bytes:
        """Return the row as bytes; distinct rows have distinct bytes."""

    def lengths(self, rows: Sequence[R]) -> NDArray[np.int64]:
        """Return the number of states of each row, ``(rows,)``."""

    def compute(
        self, rows: list[R], progress: Progress | None = None, below: Kept | None = None
    ) -> Tensor:
        """Compute states under the bare base, one row after the other, ``(tokens, width)``.

        Args:
            rows: Any rows.
            progress: A function that is called with the number of newly done rows.
            below: Cached states of a lower layer, at which the forwards may begin.
        """


class TextRows:
    """Rows that are texts, each with one sentence vector in float32.

    Args:
        encoder: The frozen encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.layer: int | None = None
        self.width, self.dtype = dimension(encoder), torch.float32

    def space(self) -> bytes:
        """Hash base, tokenizer, pooling, arithmetic, maximum length and device type."""
        e = self.encoder
        long = [] if e.windows == FIRST else [e.windows]
        return space_of(e, "pooled", e.pooling.to_dict(), e.max_length, *long)

    def encoded(self, row: str) -> bytes:
        """Return the text in UTF-8."""
        return row.encode("utf-8", "surrogatepass")

    def lengths(self, rows: Sequence[str]) -> NDArray[np.int64]:
        """Return 1 for each text: one vector per text."""
        return np.ones(len(rows), dtype=np.int64)

    def compute(
        self, rows: list[str], progress: Progress | None = None, below: Kept | None = None
    ) -> Tensor:
        """Compute the vectors of texts under the bare base, ``(texts, dim)``."""
        return encode(self.encoder, rows, rows=Bare(below), progress=progress)


class TokenRows:
    """Rows of token ids, each with the states of its tokens that enter a layer.

    Args:
        encoder: The frozen encoder.
        layer: The layer, 1 or higher.
    """

    def __init__(self, encoder: Encoder, layer: int) -> None:
        self.encoder = encoder
        self.layer: int | None = layer
        self.width, self.dtype = encoder.width, encoder.dtype

    def space(self) -> bytes:
        """Hash base, tokenizer, layer, arithmetic and device type."""
        return space_of(self.encoder, "layer", self.layer)

    def encoded(self, row: Key) -> bytes:
        """Return the position of the second segment, or -1, and the token ids, as bytes."""
        ids, second = row
        return array("i", [-1 if second is None else second, *ids]).tobytes()

    def lengths(self, rows: Sequence[Key]) -> NDArray[np.int64]:
        """Return the number of tokens of each row: one state per token."""
        return np.fromiter((len(ids) for ids, _ in rows), dtype=np.int64, count=len(rows))

    def compute(
        self, rows: list[Key], progress: Progress | None = None, below: Kept | None = None
    ) -> Tensor:
        """Compute the states of rows under the bare base, without padding, ``(tokens, width)``."""
        found: list[Tensor] = [torch.empty(0)] * len(rows)
        for both in (True, False):  # rows of one and of two segments are embedded differently
            own = [i for i, (_, second) in enumerate(rows) if (second is not None) == both]
            begins = [rows[i][1] or 0 for i in own] if both else None
            chosen = [rows[i][0] for i in own]
            with torch.no_grad():
                made = token_states(
                    self.encoder, chosen, second=begins, stop=self.layer, rows=Bare(below)
                )
                for chunk, states in made:
                    for number, state in zip(chunk, states, strict=True):
                        found[own[number]] = state[: len(chosen[number])].cpu()
        if progress:
            progress(len(rows))
        return torch.cat(found)


def space_of(encoder: Attachable, *facts: Any) -> bytes:
    """Hash a base, its arithmetic, the kind of device, and further facts; 16 bytes."""
    base = [FORMAT, encoder.fingerprint, encoder.arithmetic, encoder.device.type]
    return hashlib.blake2b(json.dumps([*base, *facts]).encode(), digest_size=16).digest()
