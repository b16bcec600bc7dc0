"""Reading recipes: every fault told at once, with its line, and the nearest name for a typo."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from xadapt import registry
from xadapt.errors import UserError
from xadapt.recipe import ObjectiveSpec, Recipe

Path_ = tuple[str | int, ...]


def load_recipe(path: Path | str, settings: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe; all faults are told at once, each with its line.

    Args:
        path: The YAML file.
        settings: ``a.b=value`` changes; in a list, name the entry by its number or name.

    Raises:
        UserError: The file is absent, not YAML, or wrong.
    """
    where = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        node, raw = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't read the recipe ({error})", where=where) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{where}:{mark.line + 1}" if mark else where
        raise UserError(f"not YAML ({getattr(error, 'problem', error)})", where=at) from None
    if not isinstance(raw, dict):
        raise UserError("a recipe is a mapping of keys to values", where=where)
    for setting in settings:
        _apply(raw, setting)
    return check_recipe(raw, where, _lines(node))


def check_recipe(
    raw: Mapping[str, Any], where: str = "recipe", lines: Mapping[Path_, int] | None = None
) -> Recipe:
    """Check a recipe given as a mapping.

    Raises:
        UserError: It is wrong; every fault is named.
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
        said = "; ".join(_at(path, lines or {}) + message for path, message in faults)
        raise UserError(said, where=where)
    return recipe


def _module_faults(raw: Any) -> list[tuple[Path_, str]]:
    if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str):
        return []
    try:
        part = registry.load("modules", raw["kind"])
        part.Options(**{k: v for k, v in raw.items() if k != "kind"})
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
    return faults


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


def _at(path: Path_, lines: Mapping[Path_, int]) -> str:
    while path and path not in lines:
        path = path[:-1]
    return f"line {lines[path]}: " if path in lines else ""


def _lines(node: yaml.Node | None, path: Path_ = ()) -> dict[Path_, int]:
    found: dict[Path_, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found[(*path, key.value)] = key.start_mark.line + 1
            found |= _lines(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            found[(*path, number)] = value.start_mark.line + 1
            found |= _lines(value, (*path, number))
    return found


def _apply(raw: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set wants key=value, not {setting!r}")
    *way, last = key.strip().split(".")
    place: Any = raw
    for step in way:
        place = _step(place, step, setting)
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"--set {setting!r}: the value is not YAML") from None
    if isinstance(place, dict):
        place[last] = parsed
    else:
        raise UserError(f"--set {setting!r}: {way[-1] if way else key} holds no keys")


def _step(place: Any, step: str, setting: str) -> Any:
    if isinstance(place, dict):
        return place.setdefault(step, {})
    if isinstance(place, list):
        for number, item in enumerate(place):
            if step == str(number) or (isinstance(item, dict) and item.get("name") == step):
                return item
    raise UserError(f"--set {setting!r}: there is no {step!r} in the recipe")
