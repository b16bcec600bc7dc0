"""Read recipes, and report all faults at once, with lines and the nearest names for typos."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from xadapt.config.recipe import (
    DataSpec,
    ObjectiveSpec,
    Recipe,
    TransformSpec,
    build_reader,
    reader_options,
)
from xadapt.config.recipe_options import Change, changes_of, nested_changes
from xadapt.config.recipe_types import type_faults
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.resources import resource
from xadapt.core.sequences import as_strings
from xadapt.core.strict_parsing import parse_yaml, read_bytes

MAX_BYTES = 2**16
"""The largest size of a recipe in bytes. Shipped recipes have up to 2 KiB."""

Path_ = tuple[str | int, ...]
Settings = str | Sequence[str] | Mapping[str, Any]


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


def load_recipe(path: Path | str, settings: Settings = ()) -> Recipe:
    """Read and check a recipe, and report all faults at once, each with its line.

    Args:
        path: The YAML file.
        settings: Changes ``a.b=value``, or a nested dict of changes. An entry of a list is given by
            its number or name.

    Raises:
        UserError: If the file is absent, larger than `MAX_BYTES`, not YAML, has a key twice, or
            has other faults, or if a setting can't be applied.
    """
    return changed_recipe(Path(path), settings)


def changed_recipe(
    recipe: Path | Recipe | Mapping[str, Any],
    settings: Settings = (),
    options: Mapping[str, Any] | None = None,
    others: Sequence[str] = (),
) -> Recipe:
    """Change and check a recipe.

    Args:
        recipe: The YAML file, a recipe, or a recipe as a mapping.
        settings: As for `load_recipe`.
        options: Options of `xadapt.config.recipe_options.TrainOptions` by name.
        others: Further names, for the suggestion where an option is mistyped.

    Raises:
        UserError: As for `load_recipe`, if there is no such option, or if an option and a setting
            change one value.
    """
    places: dict[Path_, str] = {}
    where = str(recipe) if isinstance(recipe, Path) else "recipe"
    if isinstance(recipe, Path):
        raw, places = _parse(recipe, where)
    elif isinstance(recipe, Recipe):
        raw, where = recipe.model_dump(mode="json"), recipe.name
    else:
        raw = deepcopy(dict(recipe))
    changes = _settings(settings)
    for change in changes:
        places |= _apply(raw, change)
    named = changes_of(options or {}, raw, others)
    for change in named:
        twice = next((one for one in changes if one.path == change.path), None)
        if twice is not None:
            raise UserError(f"{change.name} and {twice.name} change the same value", where=where)
        places |= _apply(raw, change)
    return check_recipe(raw, where, places)


def _settings(settings: Settings) -> list[Change]:
    if isinstance(settings, Mapping):
        return list(nested_changes(settings))
    return [_parsed(setting) for setting in as_strings(settings)]


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
        part.Options.model_validate({k: v for k, v in raw.items() if k not in ("kind", "init")})
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
        elif data.options:
            faults += _reader_faults(data, ("data", name, "options"))
    return faults + _transform_faults(recipe) + type_faults(recipe)


def _reader_faults(data: DataSpec, at: Path_) -> list[tuple[Path_, str]]:
    """Check the options of a reader; ``parallel`` has those of any reader of pairs."""
    part = registry.load("readers", data.reader)
    if data.reader != "parallel":
        try:
            build_reader(part, data.options)
        except UserError as error:
            return [(at, error.what)]
        return []
    parts = [registry.load("readers", name) for name in registry.names("readers")]
    known = {name for p in parts if p.gives is part.gives for name in reader_options(p)}
    wrong = sorted(set(data.options) - known)
    return [((*at, name), registry.unknown("option", name, sorted(known))) for name in wrong]


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


def _parsed(setting: str) -> Change:
    """Parse one change of ``--set``."""
    key, equals, value = setting.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        raise UserError(f"--set wants key=value, not {setting!r}")
    if path[0] == "prompts" and len(path) == 2 and value[:1] not in ("'", '"'):
        return Change(path, value, f"--set {key.strip()}")  # "query: " is a mapping in YAML
    try:
        parsed, _ = parse_yaml(value)
    except UserError as error:
        said = f"the value is not YAML that can be used ({error.what})"
        raise UserError(f"--set {setting!r}: {said}") from None
    return Change(path, parsed, f"--set {key.strip()}")


def _apply(raw: dict[str, Any], change: Change) -> dict[Path_, str]:
    """Apply one change, and return the changed path with its name in errors."""
    *way, last = change.path
    place: Any = raw
    path: Path_ = ()
    for step in way:
        at, place = _step(place, step, change.name)
        path = (*path, at)
    if not isinstance(place, dict):
        raise UserError(f"{change.name}: {way[-1]} holds no keys")
    place[last] = change.value
    return {(*path, last): change.name}


def _step(place: Any, step: str, name: str) -> tuple[str | int, Any]:
    if isinstance(place, dict):
        if place.get(step) is None:
            place[step] = {}
        return step, place[step]
    for number, item in enumerate(place if isinstance(place, list) else []):
        if step == str(number) or (isinstance(item, dict) and item.get("name") == step):
            return number, item
    raise UserError(f"{name}: there is no {step!r} in the recipe")
