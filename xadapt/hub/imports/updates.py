"""A LoRA of xadapt from low-rank updates of single linears, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from xadapt.modules.hooks import ModelShape, Place
from xadapt.modules.lora import LoRA, LoRAOptions, LowRank


@dataclass(frozen=True)
class Update:
    """One update ``scale * up down x`` of the output of a site.

    Attributes:
        down: ``(rank, in)``.
        up: ``(out, rank)``.
        scale: Unitless.
    """

    down: Tensor
    up: Tensor
    scale: float

    @property
    def rank(self) -> int:
        """The rank."""
        return len(self.down)


def lora_of(updates: Mapping[Place, Update], shape: ModelShape) -> LoRA:
    """Build a LoRA that adds exactly these updates.

    Where each site has one rank and one scale in all layers, the tensors stay as they are. Else
    the scales are multiplied into ``up``, lower ranks are padded with zeros, and places without an
    update have a zero update.

    Args:
        updates: The updates by layer, site and point; at least one.
        shape: Shapes of the encoder.
    """
    layers = sorted({layer for layer, _, _ in updates})
    sites = tuple(dict.fromkeys(site for _, site, _ in sorted(updates)))
    span = (layers[0], layers[-1] + 1)
    places = [
        (layer, site, point)
        for layer in range(*span)
        for site in sites
        for point in shape.points(layer, site)
    ]
    kinds = {
        site: {(u.rank, u.scale) for p, u in updates.items() if p[1] == site} for site in sites
    }
    alike = all(len(own) == 1 for own in kinds.values()) and set(places) == set(updates)
    if alike and all(scale > 0 for own in kinds.values() for _, scale in own):
        sizes = {site: (rank, scale * rank) for site, [(rank, scale)] in kinds.items()}
    else:
        most = max(update.rank for update in updates.values())
        updates = {place: _padded(update, most) for place, update in updates.items()}
        sizes = {site: (most, float(most)) for site in sites}
    rank = Counter(rank for rank, _ in sizes.values()).most_common(1)[0][0]
    alpha = Counter(alpha for _, alpha in sizes.values()).most_common(1)[0][0]
    options = LoRAOptions(
        sites=sites,
        rank=rank,
        alpha=alpha,
        rank_pattern={site: r for site, (r, _) in sizes.items() if r != rank},
        alpha_pattern={site: a for site, (_, a) in sizes.items() if a != alpha},
        layers="all" if span == (0, shape.depth) else span,
    )
    module = LoRA(options, shape)
    with torch.no_grad():
        for hook in module.hooks():
            low = hook.fn
            assert isinstance(low, LowRank)
            low.A.zero_()
            if hook.place in updates:
                low.A.copy_(updates[hook.place].down)
                low.B.copy_(updates[hook.place].up)
    return module


def _padded(update: Update, rank: int) -> Update:
    down = update.down.new_zeros((rank, update.down.shape[1]), dtype=torch.float32)
    up = update.up.new_zeros((len(update.up), rank), dtype=torch.float32)
    down[: update.rank] = update.down.float()
    up[:, : update.rank] = (update.up.double() * update.scale).float()
    return Update(down, up, 1.0)
