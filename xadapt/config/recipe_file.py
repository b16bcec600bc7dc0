"""Read recipes, and report all faults at once, with lines and the nearest names for typos."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from xadapt.config.recipe import ObjectiveSpec, Recipe, TransformSpec
from xadapt.config.recipe_types import type_faults
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.resources import resource
from xadapt.core.strict_parsing import parse_yaml, read_bytes

MAX_BYTES = 2**16
"""The largest size of a recipe in bytes. Shipped recipes have up to 2 KiB."""

Path_ = tuple[str | int, ...]


def recipe_names() -> list[str]:
    """Return the names of the recipes that xadapt ships."""
    return sorted(file.stem for file in resource("adapter_configs").glob("*.yaml"))


def find_recipe(name: Path | str) -> Path:
    """Find the path of a recipe: a file, or ``[adapter_configs/]NAME[.yaml]`` of a shipped recipe.

    Raises:
        UserError: If there is no such file or shipped recipe. The error suggests the nearest name.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = path.name.removesuffix(".yaml")
    if str(path.parent) in (".", "adapter_configs") and shipped in recipe_names():
        return resource("adapter_configs", f"{shipped}.yaml")
    raise UserError(
        "there is no such recipe file, and " + registry.unknown("recipe", shipped, recipe_names()),
        where=str(name),
    )


def load_recipe(path: Path | str, settings: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe, and report all faults at once, each with its line.

    Args:
        path: The YAML file.
        settings: Changes ``a.b=value``. An entry of a list is given by its number or name.

    Raises:
        UserError: If the file is absent, larger than `MAX_BYTES`, not YAML, has a key twice, or
            has other faults, or if a setting can't be applied.
    """
    where = str(path)
    raw, places = _parse(path, where)
    for setting in settings:
        places |= _apply(raw, setting)
    return check_recipe(raw, where, places)


def with_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """Return a recipe with changes, such as ``train.epochs=3``.

    Raises:
        UserError: If a setting can't be applied, or the recipe does not take its value.
    """
    raw = recipe.model_dump(mode="json")
    places: dict[Path_, str] = {}
    for setting in settings:
        places |= _apply(raw, setting)
    return check_recipe(raw, recipe.name, places)


def _parse(path: Path | str, where: str) -> tuple[dict[str, Any], dict[Path_, str]]:
    """Return the recipe as a mapping, and the line of each of its keys."""
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("the recipe is not UTF-8", where=where) from None
    except UserError as error:
        raise UserError(f"can't read the recipe: {error.what}", where=where) from None
    raw, node = parse_yaml(text, where=where, kind="a recipe")
    if not isinstance(raw, dict):
        raise UserError("a recipe is a mapping of keys to values", where=where)
    return raw, {path: f"line {line}" for path, line in _lines(node)}


def check_recipe(
    raw: Mapping[str, Any], where: str = "recipe", places: Mapping[Path_, str] | None = None
) -> Recipe:
    """Check a recipe given as a mapping.

    Args:
        raw: The mapping.
        where: Name of the recipe in errors.
        places: The place of each key, such as ``line 3``.

    Raises:
        UserError: If the recipe is wrong. The error names every fault.
    """
    faults: list[tuple[Path_, str]] = []
    recipe = None
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        faults += [_fault(e, Recipe) for e in error.errors()]
    faults += _module_faults(raw.get("module")) + _objective_faults(raw.get("objectives"))
    faults += _data_faults(recipe) if recipe else []
    if recipe is None or faults:
        said = "; ".join(_at(path, places or {}) + message for path, message in faults)
        raise UserError(said, where=where)
    return recipe


def _module_faults(raw: Any) -> list[tuple[Path_, str]]:
    if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str):
        return []
    try:
        part = registry.load("modules", raw["kind"])
        part.Options.model_validate({k: v for k, v in raw.items() if k != "kind"})
    except UserError as error:
        return [(("module", "kind"), error.what)]
    except ValidationError as error:
        return [_fault(e, part.Options, ("module",)) for e in error.errors()]
    return []


def _objective_faults(raw: Any) -> list[tuple[Path_, str]]:
    faults: list[tuple[Path_, str]] = []
    for number, entry in enumerate(raw if isinstance(raw, list) else []):
        at: Path_ = ("objectives", number)
        try:
            ObjectiveSpec.model_validate(entry).build()
        except UserError as error:
            faults.append(((*at, "name"), error.what))
        except ValidationError as error:
            known = isinstance(entry, dict) and entry.get("name") in registry.names("objectives")
            part = registry.load("objectives", entry["name"]) if known else None
            said = [_fault(e, part, at, ObjectiveSpec) for e in error.errors()]
            faults += [f for f in said if error.title != ObjectiveSpec.__name__]
    return faults


def _transform_faults(recipe: Recipe) -> list[tuple[Path_, str]]:
    faults: list[tuple[Path_, str]] = []
    for name, data in recipe.data.items():
        for number, spec in enumerate(data.transforms or ()):
            at: Path_ = ("data", name, "transforms", number)
            try:
                spec.build()
            except UserError as error:
                faults.append(((*at, "name"), error.what))
            except ValidationError as error:
                part = registry.load("transforms", spec.name)
                faults += [_fault(e, part, at, TransformSpec) for e in error.errors()]
    return faults


def _data_faults(recipe: Recipe) -> list[tuple[Path_, str]]:
    faults: list[tuple[Path_, str]] = []
    for number, spec in enumerate(recipe.objectives):
        if spec.data not in recipe.data:
            message = registry.unknown("data", spec.data, list(recipe.data))
            faults.append((("objectives", number, "data"), message))
    for name, data in recipe.data.items():
        if data.reader not in registry.names("readers"):
            message = registry.unknown("reader", data.reader, registry.names("readers"))
            faults.append((("data", name, "reader"), message))
    return faults + _transform_faults(recipe) + type_faults(recipe)


def _fault(error: Any, model: Any, under: Path_ = (), also: Any = None) -> tuple[Path_, str]:
    path: Path_ = (*under, *error["loc"])
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _fields(_inner(model, error["loc"][:-1])) + (_fields(also) if also else [])
        return path, registry.unknown("key", str(path[-1]), known)
    message = error["msg"].removeprefix("Value error, ")
    return path, f"{'.'.join(map(str, path)) or 'recipe'}: {message[0].lower()}{message[1:]}"


def _fields(model: Any) -> list[str]:
    return list(typing.get_type_hints(model)) if isinstance(model, type) else []


def _inner(model: Any, path: Path_) -> Any:
    for step in path:
        if isinstance(step, int) or not isinstance(model, type):
            continue
        hint = typing.get_type_hints(model).get(str(step), model)
        inner = [t for t in (hint, *typing.get_args(hint)) if isinstance(t, type)]
        models = [t for t in inner if issubclass(t, BaseModel)]
        model = models[0] if models else model
    return model


def _at(path: Path_, places: Mapping[Path_, str]) -> str:
    while path and path not in places:
        path = path[:-1]
    return f"{places[path]}: " if path in places else ""


def _lines(node: yaml.Node | None, path: Path_ = ()) -> Iterator[tuple[Path_, int]]:
    pairs: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(number, value, value) for number, value in enumerate(node.value)]
    for step, start, value in pairs:
        yield (*path, step), start.start_mark.line + 1
        yield from _lines(value, (*path, step))


def _apply(raw: dict[str, Any], setting: str) -> dict[Path_, str]:
    """Apply one change of ``--set``, and return the changed path with its name in errors."""
    key, equals, value = setting.partition("=")
    *way, last = key.strip().split(".")
    if not equals or not last or not all(way):
        raise UserError(f"--set wants key=value, not {setting!r}")
    place: Any = raw
    path: Path_ = ()
    for step in way:
        at, place = _step(place, step, setting)
        path = (*path, at)
    if not isinstance(place, dict):
        raise UserError(f"--set {setting!r}: {way[-1]} holds no keys")
    try:
        place[last], _ = parse_yaml(value)
    except UserError as error:
        said = f"the value is not YAML that can be used ({error.what})"
        raise UserError(f"--set {setting!r}: {said}") from None
    return {(*path, last): f"--set {key.strip()}"}


def _step(place: Any, step: str, setting: str) -> tuple[str | int, Any]:
    if isinstance(place, dict):
        if place.get(step) is None:
            place[step] = {}
        return step, place[step]
    for number, item in enumerate(place if isinstance(place, list) else []):
        if step == str(number) or (isinstance(item, dict) and item.get("name") == step):
            return number, item
    raise UserError(f"--set {setting!r}: there is no {step!r} in the recipe")
