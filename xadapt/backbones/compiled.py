"""Compilation of an encoder's layers with torch.compile, for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError

VARIANTS = 8  # of one layer's code: with and without gradients, with other hooks


@contextmanager
def compiled(encoder: Encoder, wanted: bool = True) -> Iterator[None]:
    """Run every layer compiled by torch.compile inside the block, for batches of any shape.

    Each layer is compiled together with its hooks, at its first call. Equal layers share the
    compiled code. Values and gradients are those of the plain layers up to rounding.

    Args:
        encoder: The encoder, with the modules attached.
        wanted: Whether to compile at all.

    Raises:
        UserError: If torch.compile does not run here, usually because there is no C++ compiler.
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
    except Exception as error:  # the type of the error depends on the missing part
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"torch.compile does not run here: {reason}",
            where="train.compile",
            todo="Install a C++ compiler, or leave train.compile at false",
        ) from None
