"""Refuse to store states as frozen while a module acts below their layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError

_MERGED: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


@contextmanager
def merged_from(model: nn.Module, layer: int) -> Iterator[None]:
    """Register for the length of the block that modules are merged into the weights of a model.

    Args:
        model: The transformers model.
        layer: The lowest layer with changed weights, -1 for the embeddings.
    """
    _MERGED[model] = layer
    try:
        yield
    finally:
        del _MERGED[model]


def require_bare(encoder: Encoder, layer: int | None = None) -> None:
    """Refuse to go on while a module acts on the encoder below a layer, attached or merged.

    Args:
        encoder: The encoder.
        layer: States that enter this layer are to be stored; ``None`` stands for the last layer's
            output.

    Raises:
        UserError: If a module acts below the layer.
    """
    depth = encoder.depth
    lowest = min(encoder.reuse.lowest(depth), _MERGED.get(encoder.model, depth))
    if lowest < (depth if layer is None else layer):
        raise UserError(
            "states of the frozen base can't be stored while a module acts on it",
            todo="Compute them before the module is activated or merged, or after",
        )
