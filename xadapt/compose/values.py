"""Composition values: which modules act on a row, in what order and with what weight.

A composition is ``None`` (the bare base), the name of a module, or one of the classes here, nested
at will. Names stand for modules that are given elsewhere, so a composition is a plain value: equal
ones compare equal, and it prints, parses and saves (`xadapt.compose.text`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

ANY = "*"


@dataclass(frozen=True, init=False)
class Stack:
    """One after the other: each part sees what the parts before it made of the states.

    Attributes:
        parts: Two or more compositions; stacks inside a stack are opened up.
    """

    parts: tuple[Composition, ...]

    def __init__(self, *parts: Composition) -> None:
        flat: list[Composition] = []
        for part in parts:
            flat += part.parts if isinstance(part, Stack) else [part]
        _require(len(flat) > 1, "a stack has two parts or more")
        object.__setattr__(self, "parts", tuple(_checked(part) for part in flat))

    def __repr__(self) -> str:
        return f"Stack({', '.join(map(repr, self.parts))})"


@dataclass(frozen=True, init=False)
class Mix:
    """A weighted sum of effects: each part sees the same states, and what it adds is weighted.

    Weights need not sum to one, and may be negative.

    Attributes:
        parts: Compositions, each once, with their weights.
    """

    parts: tuple[tuple[Composition, float], ...]

    def __init__(self, parts: Mapping[Composition, float]) -> None:
        _require(bool(parts), "a mixture has a part or more")
        rows = [(_checked(part), float(weight)) for part, weight in parts.items()]
        _require(all(math.isfinite(w) for _, w in rows), "the weights of a mixture are finite")
        object.__setattr__(self, "parts", tuple(rows))

    def __repr__(self) -> str:
        return f"Mix({dict(self.parts)!r})"


@dataclass(frozen=True, init=False)
class Route:
    """A mixture whose weights a trained router gives for each row or token.

    Attributes:
        router: Name of the router.
        parts: Its experts, in the router's order.
    """

    router: str
    parts: tuple[Composition, ...]

    def __init__(self, router: str, parts: list[Composition] | tuple[Composition, ...]) -> None:
        _require(bool(parts), "a route has an expert or more")
        object.__setattr__(self, "router", _checked(router))
        object.__setattr__(self, "parts", tuple(_checked(part) for part in parts))

    def __repr__(self) -> str:
        return f"Route({self.router!r}, {list(self.parts)!r})"


@dataclass(frozen=True, init=False)
class Fuse:
    """Attention over what each part makes of the states, by a trained fusion.

    Attributes:
        fusion: Name of the fusion.
        parts: What it attends over, in its order.
    """

    fusion: str
    parts: tuple[Composition, ...]

    def __init__(self, fusion: str, parts: list[Composition] | tuple[Composition, ...]) -> None:
        _require(bool(parts), "a fusion has a part or more")
        object.__setattr__(self, "fusion", _checked(fusion))
        object.__setattr__(self, "parts", tuple(_checked(part) for part in parts))

    def __repr__(self) -> str:
        return f"Fuse({self.fusion!r}, {list(self.parts)!r})"


@dataclass(frozen=True, init=False)
class ByLanguage:
    """One composition a language.

    Attributes:
        parts: Language tags with compositions; ``*`` is for all others.
    """

    parts: tuple[tuple[str, Composition], ...]

    def __init__(self, parts: Mapping[str, Composition]) -> None:
        _require(bool(parts), "by language: name a language or more")
        rows = tuple((str(tag), _checked(part)) for tag, part in parts.items())
        object.__setattr__(self, "parts", rows)

    def __repr__(self) -> str:
        return f"ByLanguage({dict(self.parts)!r})"


Composition: TypeAlias = str | Stack | Mix | Route | Fuse | ByLanguage | None


def names(composition: Composition) -> list[str]:
    """Names of all modules in it, each once, in their order; routers and fusions among them."""
    return list(dict.fromkeys(_names(composition)))


def _names(composition: Composition) -> Iterator[str]:
    if isinstance(composition, str):
        yield composition
    elif isinstance(composition, (Route, Fuse)):
        yield composition.router if isinstance(composition, Route) else composition.fusion
    for part in parts_of(composition):
        yield from _names(part)


def _checked(part: Composition) -> Composition:
    known = (str, Stack, Mix, Route, Fuse, ByLanguage)
    if part is not None and not isinstance(part, known):
        raise TypeError(f"{part!r} is no composition")
    _require(part != "", "a module's name is not empty")
    return part


def _require(true: bool, said: str) -> None:
    if not true:
        raise ValueError(said)


def parts_of(composition: Composition) -> list[Composition]:
    """The parts right below a composition."""
    if isinstance(composition, Mix):
        return [part for part, _ in composition.parts]
    if isinstance(composition, ByLanguage):
        return [part for _, part in composition.parts]
    return [] if composition is None or isinstance(composition, str) else list(composition.parts)


def replaced(composition: Composition, by: Mapping[str, Composition]) -> Composition:
    """The composition with names replaced; routers and fusions only by other names.

    Args:
        composition: Any.
        by: What stands for a name; others stay.
    """
    if isinstance(composition, str):
        return by.get(composition, composition)
    if isinstance(composition, Stack):
        return Stack(*(replaced(part, by) for part in composition.parts))
    if isinstance(composition, Mix):
        weights: dict[Composition, float] = {}
        for part, weight in composition.parts:
            new = replaced(part, by)
            weights[new] = weights.get(new, 0.0) + weight
        return Mix(weights)
    if isinstance(composition, ByLanguage):
        return ByLanguage({tag: replaced(part, by) for tag, part in composition.parts})
    if isinstance(composition, (Route, Fuse)):
        own = composition.router if isinstance(composition, Route) else composition.fusion
        name = by.get(own, own)
        _require(isinstance(name, str), f"{own!r} must be replaced by a name")
        return type(composition)(str(name), [replaced(part, by) for part in composition.parts])
    return None
