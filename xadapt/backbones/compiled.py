"""An encoder's layers through torch.compile, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError

VARIANTS = 8  # of one layer's code: with and without gradients, with other hooks


@contextmanager
def compiled(encoder: Encoder, wanted: bool = True) -> Iterator[None]:
    """Let every layer run as torch.compile makes it, for batches of any shape.

    Layers are compiled one by one, with what hooks on them, when they are first called; layers
    alike share the outcome. Values and gradients are those of the plain layers up to rounding.

    Args:
        encoder: The encoder, modules attached.
        wanted: Whether to do it at all.

    Raises:
        UserError: torch.compile does not run here, for want of a C++ compiler as a rule.
    """
    if not wanted:
        yield
        return
    _try()
    layers = list(encoder.model.get_submodule(encoder.family.layers).children())
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        with torch._dynamo.config.patch(recompile_limit=VARIANTS * len(layers)):
            yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None


def _try() -> None:
    try:
        torch.compile(torch.sin)(torch.zeros(2))
    except Exception as error:  # what it raises differs with what is missing
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"torch.compile does not run here: {reason}",
            where="train.compile",
            todo="Install a C++ compiler, or leave train.compile at false",
        ) from None
