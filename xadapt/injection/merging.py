"""LoRAs added into the weights of an encoder in memory, and taken out again bitwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from xadapt.backbones.cache.bare import merged_from
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.injection.batched_lora import Updates
from xadapt.modules.sums import joined

_MERGED: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()


def merged_in(encoder: Encoder) -> Any:
    """What was said to be in an encoder's weights just now; ``None`` if they are its own."""
    return _MERGED.get(encoder.model)


@contextmanager
def merged(encoder: Encoder, updates: Updates, said: Any) -> Iterator[None]:
    """Add updates into the weights of an encoder for as long as the block lasts.

    The linears that are acted on get weights of their own for that time, rounded to the encoder's
    dtype; all others stay where they are. Afterwards the very tensors from before are back.

    Args:
        encoder: The frozen encoder.
        updates: Sums of low-rank updates, with the linears that they are of.
        said: What `merged_in` tells meanwhile.

    Raises:
        UserError: Something is merged into it already, or its weights are quantised.
    """
    if merged_in(encoder) is not None:
        raise UserError(
            "something is merged into this base already", todo="Leave that block before the next"
        )
    if encoder.source.kind == "memory":
        _ = encoder.identity  # is of the weights at hand: told before they change
    lowest = min((at[0] for at in updates), default=encoder.depth)
    before: dict[nn.Module, nn.Parameter] = {}
    _MERGED[encoder.model] = said
    with merged_from(encoder.model, lowest):
        try:
            with torch.no_grad():
                for linear, weight in _weights(updates).items():
                    before[linear] = linear.get_parameter("weight")
                    new = weight.to(before[linear].dtype)
                    linear.weight = nn.Parameter(new, requires_grad=False)
            with encoder.reuse.touching(lowest):
                yield
        finally:
            for linear, own in before.items():
                linear.weight = own
            del _MERGED[encoder.model]


def _weights(updates: Updates) -> dict[nn.Module, torch.Tensor]:
    """New weights in fp32 of all linears that are acted on; slices of one linear share its."""
    found: dict[nn.Module, torch.Tensor] = {}
    for site, terms in updates.values():
        weight = site.module.get_parameter("weight")
        if not weight.is_floating_point():
            raise UserError(
                "nothing can be added into quantised weights",
                todo="Load the base with dtype float32 or bfloat16",
            )
        new = found.setdefault(site.module, weight.detach().float().clone())
        down, up = joined(terms)
        new[site.start : site.stop] += (up @ down).to(new)
    return found
