"""Composition values: which modules act on a row, in what order and with what weight.

A composition is ``None`` (the bare base), the name of a module, or one of the classes here, nested
up to `MAX_DEPTH`. Names stand for modules that are given elsewhere, so a composition is a plain
value: equal ones compare equal, and it prints, parses and saves (`xadapt.composition.text`).
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
"""The leader of a route that needs no router; see `xadapt.modules.arrow`."""


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
        _set(self, tuple(_checked(part) for part in flat), flat)

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
        _set(self, tuple(rows), [part for part, _ in rows])

    def __repr__(self) -> str:
        return f"Mix({dict(self.parts)!r})"


@dataclass(frozen=True, init=False)
class RoutedParts:
    """Parts under a trained module that says how much each counts.

    Attributes:
        leader: Name of that module.
        parts: The parts, in the leader's order.
    """

    leader: str
    parts: tuple[Composition, ...]

    def __init__(self, leader: str, parts: Iterable[Composition]) -> None:
        _require(isinstance(leader, str), "a router or fusion is given by name")
        object.__setattr__(self, "leader", _checked(leader))
        inner = [_checked(part) for part in parts]
        _set(self, tuple(inner), inner)
        _require(bool(self.parts), "a route or fusion has a part or more")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.leader!r}, {list(self.parts)!r})"


class Route(RoutedParts):
    """A mixture whose weights a router gives for each row or token: a trained one, or ``arrow``."""


class Fuse(RoutedParts):
    """Attention over what each part makes of the states, by a trained fusion."""


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
        _set(self, rows, [part for _, part in rows])

    def __repr__(self) -> str:
        return f"ByLanguage({dict(self.parts)!r})"


Composition: TypeAlias = str | Stack | Mix | Route | Fuse | ByLanguage | None


def names(composition: Composition) -> list[str]:
    """Names of all modules in it, each once, in their order; routers and fusions among them."""
    found = []
    for part in all_parts(composition):
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, RoutedParts) and not is_arrow(part):
            found.append(part.leader)
    return list(dict.fromkeys(found))


def is_arrow(part: Composition) -> bool:
    """Whether a part is a route whose leader is Arrow, as ``arrow`` or ``arrow@2``: no module."""
    return isinstance(part, Route) and part.leader.partition("@")[0] == ARROW


def _checked(part: Composition) -> Composition:
    known = (str, Stack, Mix, RoutedParts, ByLanguage)
    if part is not None and not isinstance(part, known):
        raise TypeError(f"{part!r} is no composition")
    _require(part != "", "a module's name is not empty")
    return part


def require_few(composition: Composition) -> Composition:
    """Refuse a composition from a text or a folder that has more parts than `MAX_PARTS`.

    Raises:
        UserError: It has.
    """
    count = sum(not parts_of(part) for part in all_parts(composition))
    if count > MAX_PARTS:
        raise UserError(f"it has {count} parts, and {MAX_PARTS} are allowed", where="composition")
    return composition


def _set(whole: Any, value: object, parts: Sequence[Composition]) -> None:
    """Set the parts of a composition, if they are not too deep inside each other."""
    depth = 1 + max((getattr(part, "_depth", 0) for part in parts), default=0)
    if depth > MAX_DEPTH:
        raise UserError(f"its parts lie more than {MAX_DEPTH} deep", where="composition")
    object.__setattr__(whole, "parts", value)
    object.__setattr__(whole, "_depth", depth)  # no field: equal ones compare by their parts


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


def all_parts(composition: Composition) -> list[Composition]:
    """The composition and everything inside it, outer ones first."""
    found, left = [], [composition]
    while left:
        part = left.pop()
        found.append(part)
        left += reversed(parts_of(part))
    return found


def rebuilt(composition: Composition, change: Callable[[Composition], Composition]) -> Composition:
    """The composition with the parts right below it changed.

    Parts that a stack has nothing of fall away, and weights of parts that became equal add up.
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
        return type(composition)(composition.leader, map(change, composition.parts))
    return composition


def replaced(composition: Composition, by: Mapping[str, Composition]) -> Composition:
    """The composition with names replaced; routers and fusions only by other names.

    Args:
        composition: Any.
        by: What stands for a name; others stay.

    Raises:
        ValueError: A router or fusion would be replaced by more than a name.
    """
    if isinstance(composition, str):
        return by.get(composition, composition)
    new = rebuilt(composition, lambda part: replaced(part, by))
    if isinstance(new, RoutedParts) and not is_arrow(new):
        return type(new)(by.get(new.leader, new.leader), new.parts)  # type: ignore[arg-type]
    return new
