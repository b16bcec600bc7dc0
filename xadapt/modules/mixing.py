"""Several modules at one site: their sum, weighted by constants, a router or attention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from xadapt.modules.arrow import Arrow
from xadapt.modules.ensemble import Ensemble
from xadapt.modules.fusion import Fusion
from xadapt.modules.hooks import AdapterHook, CapturedInput, Place, SiteInputs
from xadapt.modules.router import Router

Gates = Router | Ensemble | Arrow


class Blend(nn.Module):
    """The weighted sum of the outputs of a mixture's parts at one site.

    Args:
        parts: The hooks of each part at this site, in their order.
        weights: One weight for each part.
    """

    def __init__(self, parts: Sequence[Sequence[AdapterHook]], weights: Sequence[float]) -> None:
        super().__init__()
        self.parts, self.weights = parts, weights

    def forward(self, here: SiteInputs) -> Tensor:
        """Compute the weighted sum for the site's output, ``(batch, tokens, features)``."""
        added = [
            weight * _added(hooks, here)
            for hooks, weight in zip(self.parts, self.weights, strict=True)
        ]
        return sum(added[1:], added[0])


class Routed(nn.Module):
    """A weighted sum like `Blend`, with weights from a router for each row or token.

    An expert runs only on the rows in which its weight is not zero.

    Args:
        router: The router.
        place: The site.
        parts: The hooks of each expert at this site, by the expert's number.

    Attributes:
        watch: Function that receives the weights of each call, ``(batch, 1 or tokens, experts)``,
            and the inputs of the site; ``None`` for no function.
    """

    def __init__(
        self, router: Gates, place: Place, parts: Mapping[int, Sequence[AdapterHook]]
    ) -> None:
        super().__init__()
        self.router, self.place, self.parts = router, place, parts
        self.watch: Callable[[Tensor, SiteInputs], None] | None = None

    def forward(self, here: SiteInputs) -> Tensor:
        """Compute the weighted sum for the site's output, ``(batch, tokens, features)``."""
        gates = self.router.gates(self.place, here).to(here.output.dtype)
        if self.watch is not None:
            self.watch(gates, here)
        added = torch.zeros_like(here.output)
        for number, hooks in self.parts.items():
            gate = gates[..., number : number + 1]
            rows = gate.detach().flatten(1).any(1).nonzero().flatten()
            if len(rows) == len(gate):
                added = added + gate * _added(hooks, here)
            elif len(rows):
                added = added.index_add(0, rows, gate[rows] * _added(hooks, here.of(rows)))
        return added


class Fused(nn.Module):
    """A weighted sum like `Blend`, with weights from attention over the parts' outputs.

    Args:
        fusion: The fusion.
        place: The site.
        parts: The hooks of each module at this site, by the module's number.

    Attributes:
        watch: As for `Routed`.
    """

    def __init__(
        self, fusion: Fusion, place: Place, parts: Mapping[int, Sequence[AdapterHook]]
    ) -> None:
        super().__init__()
        self.fusion, self.place, self.parts = fusion, place, parts
        self.watch: Callable[[Tensor, SiteInputs], None] | None = None

    @property
    def router(self) -> Fusion:
        """The fusion, in the role of a router."""
        return self.fusion

    def forward(self, here: SiteInputs) -> Tensor:
        """Compute the weighted sum for the site's output, ``(batch, tokens, features)``."""
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


def blended(parts: Sequence[Sequence[AdapterHook]], weights: Sequence[float]) -> list[AdapterHook]:
    """Make one hook for each site with a weighted sum of parts.

    Raises:
        ValueError: If a part has vectors of its own for new tokens, which can't be summed.
    """
    return [
        _effect(place, Blend(list(at.values()), [weights[number] for number in at]), at)
        for place, at in _by_place(parts).items()
    ]


def routed(parts: Sequence[Sequence[AdapterHook]], router: Gates) -> list[AdapterHook]:
    """Make one hook for each site with experts that a router weights.

    Raises:
        ValueError: As for `blended`, or if an expert acts at a site that the router can't weigh.
    """
    places = _by_place(parts)
    _require_weights(router, places)
    return [
        _effect(place, Routed(router, place, at), at, router.wants(place), by_row=True)
        for place, at in places.items()
    ]


def fused(parts: Sequence[Sequence[AdapterHook]], fusion: Fusion) -> list[AdapterHook]:
    """Make one hook for each site with modules that a fusion attends to.

    Raises:
        ValueError: As for `blended`, or if a module acts at a site that the fusion can't weigh.
    """
    places = _by_place(parts)
    _require_weights(fusion, places)
    return [
        _effect(place, Fused(fusion, place, at), at, by_row=True) for place, at in places.items()
    ]


def routes(hooks: Sequence[AdapterHook]) -> Iterator[Routed | Fused]:
    """Yield every place where a router or fusion gives weights, also inside other mixtures."""
    for hook in hooks:
        if isinstance(hook.fn, (Routed, Fused)):
            yield hook.fn
        if isinstance(hook.fn, (Blend, Routed, Fused)):
            parts = hook.fn.parts
            for own in parts.values() if isinstance(parts, Mapping) else parts:
                yield from routes(own)


def _require_weights(router: Gates | Fusion, places: Iterable[Place]) -> None:
    """Refuse modules that act at a site for which a router or fusion has no weights."""
    for place in places:
        reason = router.refuses(place) if isinstance(router, (Router, Fusion)) else None
        if reason:
            raise ValueError(reason)


def _by_place(parts: Sequence[Sequence[AdapterHook]]) -> dict[Place, dict[int, list[AdapterHook]]]:
    """Group hooks by site and by the number of their part."""
    places: dict[Place, dict[int, list[AdapterHook]]] = {}
    for number, hooks in enumerate(parts):
        for hook in hooks:
            if hook.reads == "ids":
                raise ValueError("a module with vectors for new tokens can't be part of a mixture")
            places.setdefault(hook.place, {}).setdefault(number, []).append(hook)
    return places


def _effect(
    place: Place,
    fn: nn.Module,
    parts: Mapping[int, Sequence[AdapterHook]],
    more: tuple[CapturedInput, ...] = (),
    by_row: bool = False,
) -> AdapterHook:
    inner = [hook for hooks in parts.values() for hook in hooks]
    wants = dict.fromkeys([*(at for hook in inner for at in hook.remembered), *more])
    by_row = by_row or any(hook.by_row for hook in inner)
    return AdapterHook(*place, "here", fn, tuple(wants), by_row)


def _added(hooks: Sequence[AdapterHook], here: SiteInputs) -> Tensor:
    first = hooks[0].fn(here.read(hooks[0].reads))
    added: Tensor = first.to(here.output.dtype)
    for hook in hooks[1:]:
        now = here.after(added)
        added = added + hook.fn(now.read(hook.reads)).to(added.dtype)
    return added
