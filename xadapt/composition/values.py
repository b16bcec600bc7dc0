"""Composition values: the modules that act on a row, their order and their weights.

A composition is ``None`` (the bare base), the name of a module, or one of the classes here, nested
up to `MAX_DEPTH`. Names stand for modules that are given elsewhere. So a composition is a plain
value: equal compositions compare equal, and they can be printed, parsed and saved
(`xadapt.composition.text`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from xadapt.core.errors import UserError

MAX_PARTS = 1000
"""Names and ``none`` in a composition's text at most, each counted as often as it stands there."""
MAX_DEPTH = 64
"""How deep parts may lie inside each other."""
ANY = "*"
ARROW = "arrow"
"""The name in a route that needs no trained router; see `xadapt.modules.arrow`."""


@dataclass(frozen=True, init=False)
class Stack:
    """A sequence of parts, each of which reads the output of the parts before.

    Attributes:
        parts: Two or more compositions; a stack inside a stack is flattened.
    """

    parts: tuple[Composition, ...]

    def __init__(self, *parts: Composition) -> None:
        flat: list[Composition] = []
        for part in parts:
            flat += part.parts if isinstance(part, Stack) else [part]
        _require(len(flat) > 1, "a stack has two parts or more")
        _set(self, tuple(_checked(part) for part in flat), flat)

    def __repr__(self) -> str:
        return f"Stack({', '.join(map(repr, self.parts))})"


@dataclass(frozen=True, init=False)
class Mix:
    """A weighted sum of parts: all parts read the same states, and their outputs are weighted.

    Weights need not sum to one, and may be negative.

    Attributes:
        parts: Compositions, each once, with their weights.
    """

    parts: tuple[tuple[Composition, float], ...]

    def __init__(self, parts: Mapping[Composition, float]) -> None:
        _require(bool(parts), "a mixture has a part or more")
        rows = [(_checked(part), float(weight)) for part, weight in parts.items()]
        _require(all(math.isfinite(w) for _, w in rows), "the weights of a mixture are finite")
        _set(self, tuple(rows), [part for part, _ in rows])

    def __repr__(self) -> str:
        return f"Mix({dict(self.parts)!r})"


@dataclass(frozen=True, init=False)
class RoutedParts:
    """Parts whose weights come from a trained module.

    Attributes:
        router: Name of that module, a router or a fusion.
        parts: The parts, in the order of that module's weights.
    """

    router: str
    parts: tuple[Composition, ...]

    def __init__(self, router: str, parts: Iterable[Composition]) -> None:
        _require(isinstance(router, str), "a router or fusion is given by name")
        object.__setattr__(self, "router", _checked(router))
        inner = [_checked(part) for part in parts]
        _set(self, tuple(inner), inner)
        _require(bool(self.parts), "a route or fusion has a part or more")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.router!r}, {list(self.parts)!r})"


class Route(RoutedParts):
    """A mixture with weights for each row or token from a trained router or ``arrow``."""


class Fuse(RoutedParts):
    """Attention over the outputs of the parts, by a trained fusion."""


@dataclass(frozen=True, init=False)
class ByLanguage:
    """One composition for each language.

    Attributes:
        parts: Language tags with compositions; ``*`` stands for all other languages.
    """

    parts: tuple[tuple[str, Composition], ...]

    def __init__(self, parts: Mapping[str, Composition]) -> None:
        _require(bool(parts), "by language: name a language or more")
        rows = tuple((str(tag), _checked(part)) for tag, part in parts.items())
        _set(self, rows, [part for _, part in rows])

    def __repr__(self) -> str:
        return f"ByLanguage({dict(self.parts)!r})"


Composition: TypeAlias = str | Stack | Mix | Route | Fuse | ByLanguage | None


def names(composition: Composition) -> list[str]:
    """List the names of all modules, routers and fusions too, each once, in their order."""
    found = []
    for part in all_parts(composition):
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, RoutedParts) and not is_arrow(part):
            found.append(part.router)
    return list(dict.fromkeys(found))


def is_arrow(part: Composition) -> bool:
    """Whether a part is a route by Arrow, such as ``arrow`` or ``arrow@2``, which is no module."""
    return isinstance(part, Route) and part.router.partition("@")[0] == ARROW


def _checked(part: Composition) -> Composition:
    known = (str, Stack, Mix, RoutedParts, ByLanguage)
    if part is not None and not isinstance(part, known):
        raise TypeError(f"{part!r} is no composition")
    _require(part != "", "a module's name is not empty")
    return part


def require_few(composition: Composition) -> Composition:
    """Refuse a composition from a text or a folder that has more parts than `MAX_PARTS`.

    Raises:
        UserError: If the composition has more parts.
    """
    count = sum(not parts_of(part) for part in all_parts(composition))
    if count > MAX_PARTS:
        raise UserError(f"it has {count} parts, and {MAX_PARTS} are allowed", where="composition")
    return composition


def _set(whole: Any, value: object, parts: Sequence[Composition]) -> None:
    """Set the parts of a composition, if they are not nested too deeply."""
    depth = 1 + max((getattr(part, "_depth", 0) for part in parts), default=0)
    if depth > MAX_DEPTH:
        raise UserError(f"its parts lie more than {MAX_DEPTH} deep", where="composition")
    object.__setattr__(whole, "parts", value)
    object.__setattr__(whole, "_depth", depth)  # no field: equal ones compare by their parts


def _require(true: bool, said: str) -> None:
    if not true:
        raise ValueError(said)


def parts_of(composition: Composition) -> list[Composition]:
    """List the direct parts of a composition."""
    if isinstance(composition, Mix):
        return [part for part, _ in composition.parts]
    if isinstance(composition, ByLanguage):
        return [part for _, part in composition.parts]
    return [] if composition is None or isinstance(composition, str) else list(composition.parts)


def all_parts(composition: Composition) -> list[Composition]:
    """List the composition and all nested parts, outer ones first."""
    found, left = [], [composition]
    while left:
        part = left.pop()
        found.append(part)
        left += reversed(parts_of(part))
    return found


def rebuilt(composition: Composition, change: Callable[[Composition], Composition]) -> Composition:
    """Rebuild a composition with its direct parts changed.

    Parts of a stack that become ``None`` are dropped. Weights of parts that become equal are added.
    """
    if isinstance(composition, Stack):
        left = [new for part in composition.parts if (new := change(part)) is not None]
        return Stack(*left) if len(left) > 1 else (left[0] if left else None)
    if isinstance(composition, Mix):
        weights: dict[Composition, float] = {}
        for part, weight in composition.parts:
            new = change(part)
            weights[new] = weights.get(new, 0.0) + weight
        return Mix(weights)
    if isinstance(composition, ByLanguage):
        return ByLanguage({tag: change(part) for tag, part in composition.parts})
    if isinstance(composition, RoutedParts):
        return type(composition)(composition.router, map(change, composition.parts))
    return composition


def replaced(composition: Composition, by: Mapping[str, Composition]) -> Composition:
    """Replace names in a composition; routers and fusions only by other names.

    Args:
        composition: Any composition.
        by: The replacement for each name; other names stay.

    Raises:
        ValueError: If the replacement of a router or fusion is more than a name.
    """
    if isinstance(composition, str):
        return by.get(composition, composition)
    new = rebuilt(composition, lambda part: replaced(part, by))
    if isinstance(new, RoutedParts) and not is_arrow(new):
        return type(new)(by.get(new.router, new.router), new.parts)  # type: ignore[arg-type]
    return new
