"""Exact merge of fixed mixtures of LoRAs into one plain LoRA with the ranks concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xadapt.composition.text import show
from xadapt.composition.values import Composition, Mix, Stack
from xadapt.core.errors import UserError
from xadapt.modules.hooks import ModelShape, Place
from xadapt.modules.lora import LoRA, LoRAOptions, LowRank
from xadapt.modules.low_rank import singular
from xadapt.modules.none import Nothing
from xadapt.modules.sums import Terms, joined


@dataclass(frozen=True)
class Exported:
    """A plain LoRA made from other LoRAs.

    Attributes:
        module: The LoRA. Its alpha is its rank, so its scale is 1.
        error: The largest share of an update, by Frobenius norm, that was cut; 0 if exact.
    """

    module: LoRA
    error: float


def merge_loras(
    composition: Composition,
    modules: Mapping[str, nn.Module],
    model_shape: ModelShape,
    rank: int | None = None,
) -> Exported:
    """Merge a stack or weighted mixture of LoRAs into one LoRA that computes the same.

    A sum of updates ``w s B A`` is one update: the ``A`` are concatenated by rows, and the scaled
    ``B`` by columns. Sites with a lower rank are padded with zeros. So all sites have one rank, and
    every library can hold the LoRA.

    Args:
        composition: Names, stacks and mixtures, nested to any depth.
        modules: The LoRAs by name.
        model_shape: Shapes of the encoder.
        rank: Cut each update to this rank, with its largest singular values. ``None`` keeps each
            update exact.

    Raises:
        UserError: If a part is not a LoRA, or its weight is not fixed.
    """
    terms: dict[Place, Terms] = {}
    for weight, name in _terms(composition, 1.0):
        module = modules[name]
        if isinstance(module, Nothing):
            continue
        if not isinstance(module, LoRA):
            raise UserError(
                f"{name!r} is a {module.kind} module",  # type: ignore[union-attr]
                where=show(composition),
                todo="Only LoRAs have a sum that is one plain module",
            )
        for hook in module.hooks():
            assert isinstance(hook.fn, LowRank)
            terms.setdefault(hook.place, []).append((weight, hook.fn))
    if not terms:
        raise UserError("there is nothing to merge", where=show(composition))
    with torch.no_grad():
        updates = {place: joined(own) for place, own in terms.items()}
    cut = {place: _cut(*update, rank) for place, update in updates.items()}
    module = _built({place: (A, B) for place, (A, B, _) in cut.items()}, model_shape)
    return Exported(module, max(lost for _, _, lost in cut.values()))


def _terms(composition: Composition, weight: float) -> Iterator[tuple[float, str]]:
    """Yield names with their weights in the sum."""
    if isinstance(composition, str):
        yield weight, composition
    elif isinstance(composition, Stack):
        for part in composition.parts:
            yield from _terms(part, weight)
    elif isinstance(composition, Mix):
        for part, own in composition.parts:
            yield from _terms(part, weight * own)
    elif composition is not None:
        raise UserError(
            "the weights of this part depend on the row",
            where=show(composition),
            todo="Only stacks and fixed mixtures become one plain module",
        )


def _cut(down: Tensor, up: Tensor, rank: int | None) -> tuple[Tensor, Tensor, float]:
    """Cut the update ``up @ down`` to a lower rank, and return the lost share of its norm too."""
    if rank is None or rank >= len(down):
        return down, up, 0.0
    left, sizes, right = singular(up, down)
    whole = float(sizes.norm())
    lost = float(sizes[rank:].norm()) / whole if whole else 0.0
    half = sizes[:rank].sqrt()
    up = left[:, :rank] * half
    down = half.unsqueeze(1) * right[:rank]
    return down.float(), up.float(), lost


def _built(updates: dict[Place, tuple[Tensor, Tensor]], model_shape: ModelShape) -> LoRA:
    layers = sorted({layer for layer, _, _ in updates})
    sites = tuple(dict.fromkeys(site for _, site, _ in updates))
    rank = max(len(down) for down, _ in updates.values())
    span = (layers[0], layers[-1] + 1)
    whole = span == (0, model_shape.depth)
    options = LoRAOptions(
        sites=sites, rank=rank, alpha=float(rank), layers="all" if whole else span
    )
    module = LoRA(options, model_shape)
    with torch.no_grad():
        for hook in module.hooks():
            low = hook.fn
            assert isinstance(low, LowRank)
            low.A.zero_()
            if hook.place in updates:
                down, up = updates[hook.place]
                low.A[: len(down)] = down
                low.B[:, : len(down)] = up
    return module
