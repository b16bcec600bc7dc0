"""Several modules at one site: their weighted sum, by fixed weights, a router's or attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from xadapt.modules.arrow import Arrow
from xadapt.modules.effects import Effect, Here, Place, Remembered
from xadapt.modules.ensemble import Ensemble
from xadapt.modules.fusion import Fusion
from xadapt.modules.router import Router

Gates = Router | Ensemble | Arrow


class Blend(nn.Module):
    """The weighted sum, at one site, of what the parts of a mixture add there.

    Args:
        parts: The effects of each part at this site, in their order.
        weights: One a part.
    """

    def __init__(self, parts: Sequence[Sequence[Effect]], weights: Sequence[float]) -> None:
        super().__init__()
        self.parts, self.weights = parts, weights

    def forward(self, here: Here) -> Tensor:
        """What is added to the site's output, ``(batch, tokens, features)``."""
        added = [
            weight * _added(effects, here)
            for effects, weight in zip(self.parts, self.weights, strict=True)
        ]
        return sum(added[1:], added[0])


class Routed(nn.Module):
    """As `Blend`, with weights that a router gives for each row or token.

    An expert is run on those rows alone in which its weight is not zero.

    Args:
        router: The router.
        place: The site.
        parts: The effects of each expert at this site, by its number.

    Attributes:
        watch: Told the weights of each call, ``(batch, 1 or tokens, experts)``, and what was
            read; ``None``: nobody is.
    """

    def __init__(self, router: Gates, place: Place, parts: Mapping[int, Sequence[Effect]]) -> None:
        super().__init__()
        self.router, self.place, self.parts = router, place, parts
        self.watch: Callable[[Tensor, Here], None] | None = None

    def forward(self, here: Here) -> Tensor:
        """What is added to the site's output, ``(batch, tokens, features)``."""
        gates = self.router.gates(self.place, here).to(here.output.dtype)
        if self.watch is not None:
            self.watch(gates, here)
        added = torch.zeros_like(here.output)
        for number, effects in self.parts.items():
            gate = gates[..., number : number + 1]
            rows = gate.detach().flatten(1).any(1).nonzero().flatten()
            if len(rows) == len(gate):
                added = added + gate * _added(effects, here)
            elif len(rows):
                added = added.index_add(0, rows, gate[rows] * _added(effects, here.of(rows)))
        return added


class Fused(nn.Module):
    """As `Blend`, with weights by attention over what the parts would add.

    Args:
        fusion: The fusion.
        place: The site.
        parts: The effects of each module at this site, by its number.

    Attributes:
        watch: As for `Routed`.
    """

    def __init__(self, fusion: Fusion, place: Place, parts: Mapping[int, Sequence[Effect]]) -> None:
        super().__init__()
        self.fusion, self.place, self.parts = fusion, place, parts
        self.watch: Callable[[Tensor, Here], None] | None = None

    @property
    def router(self) -> Fusion:
        """The fusion, which weighs as a router does."""
        return self.fusion

    def forward(self, here: Here) -> Tensor:
        """What is added to the site's output, ``(batch, tokens, features)``."""
        nothing = torch.zeros_like(here.output)
        deltas = [
            _added(self.parts[number], here) if number in self.parts else nothing
            for number in range(self.fusion.experts)
        ]
        stacked = torch.stack(deltas, -2)
        if self.watch is not None:
            self.watch(self.fusion.weights(self.place, here.output, stacked), here)
        added = self.fusion.added(self.place, here.output, stacked)
        return added.to(here.output.dtype)


def blended(parts: Sequence[Sequence[Effect]], weights: Sequence[float]) -> list[Effect]:
    """One effect a site for a weighted sum of parts.

    Raises:
        ValueError: A part brings vectors of its own for new tokens, which have no sum.
    """
    return [
        _effect(place, Blend(list(at.values()), [weights[number] for number in at]), at)
        for place, at in _by_place(parts).items()
    ]


def routed(parts: Sequence[Sequence[Effect]], router: Gates) -> list[Effect]:
    """One effect a site for experts that a router weighs.

    Raises:
        ValueError: As for `blended`.
    """
    return [
        _effect(place, Routed(router, place, at), at, router.wants(place), by_row=True)
        for place, at in _by_place(parts).items()
    ]


def fused(parts: Sequence[Sequence[Effect]], fusion: Fusion) -> list[Effect]:
    """One effect a site for modules that a fusion attends to.

    Raises:
        ValueError: As for `blended`.
    """
    return [
        _effect(place, Fused(fusion, place, at), at, by_row=True)
        for place, at in _by_place(parts).items()
    ]


def routes(effects: Sequence[Effect]) -> Iterator[Routed | Fused]:
    """Every place where a router or fusion weighs, also inside other mixtures."""
    for effect in effects:
        if isinstance(effect.fn, (Routed, Fused)):
            yield effect.fn
        if isinstance(effect.fn, (Blend, Routed, Fused)):
            parts = effect.fn.parts
            for own in parts.values() if isinstance(parts, Mapping) else parts:
                yield from routes(own)


def _by_place(parts: Sequence[Sequence[Effect]]) -> dict[Place, dict[int, list[Effect]]]:
    """Effects by site and by the number of the part they are of."""
    places: dict[Place, dict[int, list[Effect]]] = {}
    for number, effects in enumerate(parts):
        for effect in effects:
            if effect.reads == "ids":
                raise ValueError("a module with vectors for new tokens can't be part of a mixture")
            places.setdefault(effect.place, {}).setdefault(number, []).append(effect)
    return places


def _effect(
    place: Place,
    fn: nn.Module,
    parts: Mapping[int, Sequence[Effect]],
    more: tuple[Remembered, ...] = (),
    by_row: bool = False,
) -> Effect:
    inner = [effect for effects in parts.values() for effect in effects]
    wants = dict.fromkeys([*(at for effect in inner for at in effect.remembered), *more])
    by_row = by_row or any(effect.by_row for effect in inner)
    return Effect(*place, "here", fn, tuple(wants), by_row)


def _added(effects: Sequence[Effect], here: Here) -> Tensor:
    first = effects[0].fn(here.read(effects[0].reads))
    added: Tensor = first.to(here.output.dtype)
    for effect in effects[1:]:
        now = here.after(added)
        added = added + effect.fn(now.read(effect.reads)).to(added.dtype)
    return added
