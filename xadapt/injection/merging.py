"""LoRAs merged into the weights of an encoder in memory, and removed again bitwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation
from xadapt.injection.batched_lora import Updates
from xadapt.modules.sums import joined


@dataclass(frozen=True, eq=False)
class Merged:
    """An update that is temporarily in the weights of a base.

    Attributes:
        said: The description of the update, available through `merged_in`.
        lowest: The lowest layer with changed weights; the depth if there is none.
    """

    said: Any
    lowest: int

    def activation(self, cache: Kept | None = None) -> Activation:
        """Return the activation for forwards under the update, which acts on all rows.

        Args:
            cache: States that the forward may begin at.
        """
        return Activation(merged=self, cache=cache)


def merged_in(encoder: Encoder) -> Merged | None:
    """Return the update that is in an encoder's weights now; ``None`` for the original weights."""
    found = encoder.guard.merged
    assert found is None or isinstance(found, Merged)
    return found


@contextmanager
def merged(encoder: Encoder, updates: Updates, said: Any) -> Iterator[Merged]:
    """Merge updates into the weights of an encoder inside the block.

    Inside the block, the changed linears have new weights, rounded to the encoder's dtype. All
    other weights stay in place. After the block, the original tensors are back. The exchange waits
    until no forward runs. Inside the block, forwards of this base through changed layers are
    refused in every thread, unless their activation is that of the update.

    Args:
        encoder: The frozen encoder.
        updates: Sums of low-rank updates, with their linears.
        said: A description that is kept with the update.

    Yields:
        The update; its activation is for `Encoder.run` and the functions over it.

    Raises:
        UserError: If the encoder already has a merged update, its weights are quantised or sharded,
            or this thread is inside a forward of the encoder.
    """
    if encoder.source.kind == "memory":
        _ = encoder.identity  # is of the weights at hand: computed before they change
    guard = encoder.guard
    own = Merged(said, min((at[0] for at in updates), default=encoder.depth))
    with guard.exchange():
        if guard.merged is not None:
            raise UserError(
                "something is merged into this base already",
                todo="Leave that block before the next",
            )
        new = _weights(updates)
        before = {linear: linear.get_parameter("weight") for linear in new}
        try:
            for linear, weight in new.items():
                linear.weight = nn.Parameter(weight.to(before[linear].dtype), requires_grad=False)
        except BaseException:
            _put(before)
            raise
        del new
        guard.merged = own
    try:
        yield own
    finally:
        with guard.exchange():
            _put(before)
            guard.merged = None


def _put(weights: Mapping[nn.Module, nn.Parameter]) -> None:
    for linear, weight in weights.items():
        linear.weight = weight


@torch.no_grad()
def _weights(updates: Updates) -> dict[nn.Module, torch.Tensor]:
    """Compute new weights in fp32 of all changed linears; slices of one linear share a weight."""
    found: dict[nn.Module, torch.Tensor] = {}
    for site, terms in updates.values():
        weight = site.module.get_parameter("weight")
        if not weight.is_floating_point():
            raise UserError(
                "nothing can be added into quantised weights",
                todo="Load the base with dtype float32 or bfloat16",
            )
        if hasattr(weight, "full_tensor"):  # of `xadapt.backbones.encoder.sharded`
            raise UserError("nothing can be added into the weights of a base that is sharded")
        new = found.setdefault(site.module, weight.detach().float().clone())
        down, up = joined(terms)
        new[site.start : site.stop] += (up @ down).to(new)
    return found
