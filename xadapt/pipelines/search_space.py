"""The values that a hyper-parameter search tries: read from text, or chosen for a recipe."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import yaml

from xadapt.config.recipe import ObjectiveSpec, Recipe, TrainSpec
from xadapt.config.recipe_file import changed_recipe
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_yaml

OPTION = "--param"
EXAMPLE = "Write learning_rate=1e-4..1e-3:log or rank=4,8,16"
SECTIONS = ("module", "objectives", "train")
"""The parts of a recipe that are searched. Others change the data, so scores would not compare."""

RATE = 5.0
"""The learning rate is searched from a fifth of the recipe's rate to five times this rate."""

_RANGE = re.compile(r"\s*(?P<low>[^\s,:]+?)\.\.(?P<high>[^\s,:]+?)\s*(:\s*(?P<scale>.*))?")
_COMMA = re.compile(r",(?![^\[{]*[\]}])")
Value = int | float | str


class Suggests(Protocol):
    """The part of ``optuna.Trial`` that a parameter uses."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Suggest a whole number."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Suggest a number."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any:
        """Suggest one of the choices."""


@dataclass(frozen=True)
class Parameter:
    """One searched key of a recipe: a range of numbers, or a list of values.

    Attributes:
        key: Its place in the recipe, such as ``train.learning_rate``.
        choices: The values as they would be written in YAML; empty for a range.
        low: Least number of a range.
        high: Largest number of a range. Two whole numbers make a range of whole numbers.
        log: Whether the logarithm is searched evenly.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def whole(self) -> bool:
        """Whether the range is one of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Suggests) -> str:
        """Ask a trial for a value, and return it as it would be written in YAML.

        Numbers with a fraction are rounded to three digits that count.
        """
        if self.choices:
            return str(trial.suggest_categorical(self.key, self.choices))
        if self.whole:
            return str(trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log))
        return _number(trial.suggest_float(self.key, self.low, self.high, log=self.log))

    def holds(self, text: str) -> bool:
        """Whether a value in YAML is one that the search may try."""
        if self.choices:
            return text in self.choices
        try:
            return self.low <= float(text) <= self.high
        except ValueError:
            return False

    def value(self, text: str) -> Any:
        """Return a value in YAML as Optuna stores it."""
        return text if self.choices else int(text) if self.whole else float(text)

    def edges(self) -> tuple[str, ...]:
        """Return the values to check before the search: all choices, or both ends."""
        return self.choices or tuple(
            str(end) if self.whole else _number(end) for end in (self.low, self.high)
        )

    def __str__(self) -> str:
        if self.choices:
            return f"{self.key}={','.join(self.choices)}"
        return f"{self.key}={'..'.join(self.edges())}{':log' if self.log else ''}"


def read_parameters(texts: Sequence[str], recipe: Recipe) -> tuple[Parameter, ...]:
    """Read searched parameters, and check them on a recipe.

    Args:
        texts: ``KEY=LOW..HIGH``, ``KEY=LOW..HIGH:log`` or ``KEY=VALUE,VALUE``. A key is that of
            ``--set``, or its last part where that is clear: ``learning_rate``, ``rank``.
        recipe: The recipe.

    Raises:
        UserError: If a text is malformed, the recipe has no such key, a key is given twice, or the
            recipe does not take one of the values.
    """
    found: dict[str, Parameter] = {}
    for text in texts:
        parameter = _read(text, recipe)
        if parameter.key in found:
            raise UserError(f"{parameter.key} is given twice", where=OPTION)
        found[parameter.key] = parameter
        require_values(parameter, recipe)
    return tuple(found.values())


def parameter_texts(params: str | Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return searched parameters as texts.

    Args:
        params: One text, several, or a mapping of names to a list of values, or to a tuple
            ``(low, high)`` or ``(low, high, "log")``.

    Raises:
        UserError: If a value of a mapping is neither.
    """
    if isinstance(params, str):
        return [params]
    if not isinstance(params, Mapping):
        return [str(one) for one in params]
    found = []
    for name, given in params.items():
        if isinstance(given, tuple) and len(given) in (2, 3):
            ends = "..".join(str(end) for end in given[:2])
            found.append(f"{name}={':'.join([ends, *map(str, given[2:])])}")
        elif isinstance(given, list):
            found.append(f"{name}={','.join(map(as_text, given))}")
        else:
            raise UserError(
                f"{name}: {given!r} is no range and no list",
                where=OPTION,
                todo='Give (low, high), (low, high, "log") or a list of values',
            )
    return found


def default_parameters(recipe: Recipe, depth: int) -> tuple[Parameter, ...]:
    """Choose what is searched for a recipe: its rate, and the size and layers of its module.

    The learning rate is searched by its logarithm, from a fifth of the recipe's rate to five times
    this rate. Rank or width is half of the recipe's, equal, or double. The module is in all layers
    or in the upper half, besides where the recipe says.

    Args:
        recipe: The recipe.
        depth: Number of layers of the base.
    """
    rate = recipe.train.learning_rate
    low, high = (float(_number(rate * factor)) for factor in (1 / RATE, RATE))
    found = [Parameter("train.learning_rate", low=low, high=high, log=True)]
    options = _module_options(recipe)
    sized = [name for name in ("rank", "width") if isinstance(options.get(name), int)]
    for name in sized:
        size = options[name]
        sizes = dict.fromkeys((max(1, size // 2), size, 2 * size))
        found.append(Parameter(f"module.{name}", tuple(map(str, sizes))))
    if sized and "layers" in options:
        spans = dict.fromkeys((as_text(options["layers"]), "all", f"[{depth // 2}, {depth}]"))
        found.append(Parameter("module.layers", tuple(spans)))
    return tuple(found)


def current(parameters: Sequence[Parameter], recipe: Recipe) -> dict[str, Any] | None:
    """Return the recipe's own values by key, if the search may try all of them."""
    found = {}
    for parameter in parameters:
        text = as_text(_lookup(recipe, parameter.key))
        if not parameter.holds(text):
            return None
        found[parameter.key] = parameter.value(text)
    return found


def require_values(parameter: Parameter, recipe: Recipe) -> None:
    """Check on a recipe the values that a parameter may have.

    Raises:
        UserError: If the recipe does not take one of the values.
    """
    for text in parameter.edges():
        try:
            changed_recipe(recipe, [f"{parameter.key}={text}"])
        except UserError as error:
            raise UserError(error.what, where=f"{OPTION} {parameter}") from None


def as_text(value: Any) -> str:
    """Return a value of a recipe as it would be written in YAML, in one line."""
    if isinstance(value, float):
        return _with_point(repr(value))
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _read(text: str, recipe: Recipe) -> Parameter:
    name, equals, given = text.partition("=")
    if not equals or not name.strip() or not given.strip():
        raise UserError(f"{text!r} is no parameter", where=OPTION, todo=EXAMPLE)
    key = _key(name.strip(), recipe)
    match = _RANGE.fullmatch(given)
    if match is None:
        parts = [part.strip() for part in _COMMA.split(given)]
        if not all(parts):
            raise UserError(f"{text!r} has an empty value", where=OPTION, todo=EXAMPLE)
        if ".." in given:
            raise UserError(f"{text!r} is neither a range nor values", where=OPTION, todo=EXAMPLE)
        return Parameter(key, tuple(dict.fromkeys(map(_canonical, parts))))
    if match["scale"] not in (None, "log"):
        raise UserError(
            f"{text!r}: a range may end in :log, not in :{match['scale']}", where=OPTION
        )
    return _range(text, key, (match["low"], match["high"]), match["scale"] == "log")


def _canonical(text: str) -> str:
    """Return a value as `as_text` writes it, so that equal values are equal texts."""
    try:
        return as_text(_parsed(text))
    except ValueError:
        try:
            return as_text(parse_yaml(text)[0])
        except UserError as error:
            raise UserError(f"{text!r} is no value ({error.what})", where=OPTION) from None


def _range(text: str, key: str, ends: tuple[str, str], log: bool) -> Parameter:
    try:
        low, high = (_parsed(end) for end in ends)
    except ValueError:
        raise UserError(f"{text!r}: the ends are no numbers", where=OPTION, todo=EXAMPLE) from None
    if not (-math.inf < low < high < math.inf):
        raise UserError(f"{text!r}: the first end is the lower one", where=OPTION, todo=EXAMPLE)
    if log and low <= 0:
        raise UserError(f"{text!r}: a logarithm needs numbers above 0", where=OPTION)
    if not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    return Parameter(key, (), low, high, log)


def _parsed(text: str) -> int | float:
    value = float(text)
    if value != value:
        raise ValueError(text)
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else value


def _key(name: str, recipe: Recipe) -> str:
    """Return the whole key of a name.

    Raises:
        UserError: If the recipe has no such key, several, or one that is not searched.
    """
    known = _keys(recipe)
    if "." in name:
        section = name.partition(".")[0]
        if section not in SECTIONS:
            raise UserError(
                f"{name} can't be searched: scores of trials would be of other data or bases",
                where=OPTION,
                todo=f"Search keys of {', '.join(SECTIONS)}; change others with --set",
            )
        return name
    ways = [key for key in known if key.rpartition(".")[2] == name]
    if len(ways) == 1:
        return ways[0]
    if ways:
        raise UserError(f"{name} is {' or '.join(ways)}", where=OPTION, todo="Name one of them")
    short = sorted({key.rpartition(".")[2] for key in known})
    raise UserError(registry.unknown("parameter", name, short), where=OPTION)


def _keys(recipe: Recipe) -> list[str]:
    """Return every key that can be searched."""
    found = [f"train.{name}" for name in TrainSpec.model_fields]
    found += [f"module.{name}" for name in _module_options(recipe)]
    for spec in recipe.objectives:
        own = [field.name for field in fields(spec.build())]
        shared = [name for name in ObjectiveSpec.model_fields if name not in ("name", "data")]
        found += [f"objectives.{spec.name}.{name}" for name in dict.fromkeys((*shared, *own))]
    return found


def _module_options(recipe: Recipe) -> dict[str, Any]:
    """Return the options of the recipe's module, with defaults."""
    part = registry.load("modules", recipe.module.kind)
    options: Mapping[str, Any] = part.Options.model_validate(recipe.module.options()).model_dump(
        mode="json"
    )
    return dict(options)


def _lookup(recipe: Recipe, key: str) -> Any:
    """Return the value of a key, or its default; ``None`` if there is none."""
    section, *way = key.split(".")
    if section == "module":
        return _module_options(recipe).get(way[0])
    if section == "train":
        return recipe.train.model_dump(mode="json").get(way[0])
    for number, spec in enumerate(recipe.objectives):
        if way[0] in (spec.name, str(number)) and len(way) == 2:
            return getattr(spec, way[1], None) or getattr(spec.build(), way[1], None)
    return None


def _number(value: float) -> str:
    """Write a number with three digits that count, such that YAML reads it as a number."""
    return _with_point(f"{value:.3g}")


def _with_point(text: str) -> str:
    """Add the point that YAML wants in a number with an exponent."""
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{power}" if exponent else text
