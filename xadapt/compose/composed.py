"""A composition as a module: its effects are those of its parts, in order, weighted or routed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from xadapt.compose.values import Composition, Mix, Stack, names
from xadapt.modules.effects import Effect, Here, effects_of

Place = tuple[int, str, int]


class Composed(nn.Module):
    """What a composition does to one row, as one module: attach it like any other.

    A stack's parts add to a site one after the other, so the later ones read what the earlier
    ones made. Parts of a mixture all read the same states, and what each adds is weighted; so two
    LoRAs stacked are their sum and never a product.

    Args:
        composition: Any composition without `ByLanguage`, which is for `for_language` to open.
        modules: The modules by name; several names may stand for one.

    Raises:
        ValueError: A name is missing, or a part can't be mixed.
    """

    def __init__(self, composition: Composition, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.composition = composition
        missing = [name for name in names(composition) if name not in modules]
        if missing:
            raise ValueError(f"there is no module {missing[0]!r}; there are {', '.join(modules)}")
        self.named = {name: modules[name] for name in names(composition)}
        self.parts = nn.ModuleList(dict.fromkeys(self.named.values()))
        self._effects = self._of(composition)

    def effects(self) -> list[Effect]:
        """Effects of all parts; where parts are mixed, one a site."""
        return self._effects

    def _of(self, composition: Composition) -> list[Effect]:
        if composition is None:
            return []
        if isinstance(composition, str):
            return effects_of(self.named[composition])
        if isinstance(composition, Stack):
            return [effect for part in composition.parts for effect in self._of(part)]
        if isinstance(composition, Mix):
            parts = [self._of(part) for part, _ in composition.parts]
            return blended(parts, [weight for _, weight in composition.parts])
        raise ValueError(f"{composition!r} can't act on a row as it is")


class Blend(nn.Module):
    """The weighted sum, at one site, of what several runs of effects add there.

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


def blended(parts: Sequence[Sequence[Effect]], weights: Sequence[float]) -> list[Effect]:
    """One effect a site for a weighted sum of parts.

    Raises:
        ValueError: A part brings vectors of its own for new tokens, which have no sum.
    """
    places: dict[Place, list[list[Effect]]] = {}
    scales: dict[Place, list[float]] = {}
    for effects, weight in zip(parts, weights, strict=True):
        own: dict[Place, list[Effect]] = {}
        for effect in effects:
            if effect.reads == "ids":
                raise ValueError("a module with vectors for new tokens can't be part of a mixture")
            own.setdefault((effect.layer, effect.site, effect.point), []).append(effect)
        for place, at in own.items():
            places.setdefault(place, []).append(at)
            scales.setdefault(place, []).append(weight)
    return [
        Effect(*place, "here", Blend(at, scales[place]))  # type: ignore[arg-type]
        for place, at in places.items()
    ]


def _added(effects: Sequence[Effect], here: Here) -> Tensor:
    first = effects[0].fn(here.read(effects[0].reads))
    added: Tensor = first.to(here.output.dtype)
    for effect in effects[1:]:
        now = here.after(added)
        added = added + effect.fn(now.read(effect.reads)).to(added.dtype)
    return added
