"""Check the record types of a recipe: reader, transforms and objectives must fit one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from xadapt.config.recipe import DataSpec, Recipe
from xadapt.core import registry
from xadapt.core.errors import UserError

Place = tuple[str | int, ...]
Fault = tuple[Place, str]


def type_faults(recipe: Recipe) -> list[Fault]:
    """Find every place where a part gives other records than the next part consumes.

    Args:
        recipe: The recipe. Parts that don't exist are skipped, since another check reports them.

    Returns:
        For each fault, its place in the recipe and one sentence that names both parts.
    """
    faults: list[Fault] = []
    given: dict[str, tuple[str, type]] = {}
    for name, spec in recipe.data.items():
        try:
            chain = spec.chain()
        except (UserError, ValidationError):
            continue
        faults += chain_faults(spec, chain, ("data", name))
        given[name] = _last(spec, chain)
    for number, objective in enumerate(recipe.objectives):
        if objective.data in given and objective.name in registry.names("objectives"):
            who, gives = given[objective.data]
            consumes = registry.load("objectives", objective.name).consumes
            if not issubclass(gives, consumes):
                said = _mismatch(who, gives, f"objective {objective.name}", consumes)
                faults.append((("objectives", number, "name"), said))
        if objective.name in registry.names("objectives"):
            faults += _further_faults(number, objective.name, given)
    return faults


def _further_faults(
    number: int, name: str, given: Mapping[str, tuple[str, type]]
) -> Iterator[Fault]:
    """Yield the faults of further entries of the data that an objective reads."""
    reads = getattr(registry.load("objectives", name), "reads", {})
    for entry, wanted in reads.items():
        place = ("objectives", number, "name")
        if entry not in given:
            yield place, f"objective {name} reads data {entry!r}, and the recipe has none"
        elif not issubclass(given[entry][1], wanted):
            yield place, _mismatch(*given[entry], f"objective {name}", wanted)


def chain_faults(spec: DataSpec, chain: list[tuple[str, Any]], at: Place = ()) -> Iterator[Fault]:
    """Yield the faults inside one source of records: reader to transforms, and their order.

    Args:
        spec: The source.
        chain: The built transforms of the source, with their names.
        at: Place of the source in the recipe.
    """
    who, gives = f"reader {spec.reader}", registry.load("readers", spec.reader).gives
    late = None
    for number, (name, transform) in enumerate(chain):
        own = f"transform {name}"
        place = (*at, "transforms", number)
        if not issubclass(gives, transform.consumes):
            yield place, _mismatch(who, gives, own, transform.consumes)
        if transform.applies == "train":
            late = late or own
        if late and transform.gives is not transform.consumes:
            before, after = transform.consumes.__name__, transform.gives.__name__
            said = f"{late} changes training records alone, so {own}, which makes {after} of "
            yield place, said + f"{before}, must come before it"
        who, gives = own, transform.gives


def _last(spec: DataSpec, chain: list[tuple[str, Any]]) -> tuple[str, type]:
    if chain:
        return f"transform {chain[-1][0]}", chain[-1][1].gives
    return f"reader {spec.reader}", registry.load("readers", spec.reader).gives


def _mismatch(who: str, gives: type, whom: str, consumes: type) -> str:
    return f"{who} gives {gives.__name__}, and {whom} consumes {consumes.__name__}"
