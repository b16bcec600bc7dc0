"""The options of a recipe by the names that practitioners know, and where the recipe has them.

`TrainOptions` is the one table: name, type, place in the recipe, and other names that are accepted.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypedDict

from xadapt.core import registry
from xadapt.core.errors import UserError

OBJECTIVE = "objectives.*."
"""A place in that objective of the recipe which has such an option."""


class TrainOptions(TypedDict, total=False):
    """Options of `xadapt.train` that change the recipe: type, place, and other accepted names.

    `xadapt.config.recipe` describes the options of a recipe, and ``xadapt explain KIND`` those of a
    kind of module.
    """

    seed: Annotated[int, "seed"]
    dtype: Annotated[str, "dtype", "torch_dtype"]
    max_length: Annotated[int, "max_length", "max_seq_length"]

    epochs: Annotated[int, "train.epochs", "num_train_epochs", "num_epochs"]
    batch_size: Annotated[int, "train.batch_size", "train_batch_size"]
    batch_tokens: Annotated[int, "train.batch_tokens"]
    learning_rate: Annotated[float, "train.learning_rate", "lr"]
    schedule: Annotated[str, "train.schedule", "lr_scheduler_type"]
    warmup: Annotated[float, "train.warmup", "warmup_ratio"]
    weight_decay: Annotated[float, "train.weight_decay"]
    clip: Annotated[float, "train.clip", "max_grad_norm"]
    evaluations: Annotated[int, "train.evaluations"]
    patience: Annotated[int, "train.patience", "early_stopping_patience"]
    grad_cache: Annotated[bool, "train.grad_cache"]
    compile: Annotated[bool, "train.compile", "torch_compile"]
    checkpoint_seconds: Annotated[float, "train.checkpoint_seconds"]

    rank: Annotated[int, "module.rank", "r", "lora_r"]
    alpha: Annotated[float, "module.alpha", "lora_alpha"]
    layers: Annotated[str | Sequence[int], "module.layers", "layers_to_transform"]
    sites: Annotated[Sequence[str], "module.sites", "target_modules"]
    rank_pattern: Annotated[Mapping[str, int], "module.rank_pattern"]
    alpha_pattern: Annotated[Mapping[str, float], "module.alpha_pattern"]
    width: Annotated[int, "module.width", "bottleneck_size"]
    after: Annotated[str, "module.after"]
    form: Annotated[str, "module.form"]
    activation: Annotated[str, "module.activation", "non_linearity"]
    scaling: Annotated[float, "module.scaling"]
    invertible: Annotated[str, "module.invertible", "inv_adapter"]
    invertible_width: Annotated[int, "module.invertible_width"]
    shift: Annotated[bool, "module.shift"]
    row_rank: Annotated[int, "module.row_rank"]
    tied: Annotated[bool, "module.tied"]
    lora_rank: Annotated[int, "module.lora_rank"]
    experts: Annotated[int, "module.experts"]
    scope: Annotated[str, "module.scope"]
    features: Annotated[str, "module.features"]
    top_k: Annotated[int, "module.top_k"]
    entropy: Annotated[float, "module.entropy"]
    balance: Annotated[float, "module.balance"]
    penalty: Annotated[float, "module.penalty"]

    temperature: Annotated[float, "objectives.*.temperature"]
    directions: Annotated[str, "objectives.*.directions"]
    negatives: Annotated[str, "objectives.*.negatives"]
    probability: Annotated[float, "objectives.*.probability", "mlm_probability"]
    smoothing: Annotated[float, "objectives.*.smoothing", "label_smoothing"]
    scheme: Annotated[str, "objectives.*.scheme"]

    limit: Annotated[int, "data.train.limit", "max_train_samples"]
    dev_size: Annotated[float, "data.train.dev"]
    transforms: Annotated[Sequence[Any], "data.train.transforms"]


@dataclass(frozen=True)
class Change:
    """One change of a recipe.

    Attributes:
        path: The keys down to the changed value; an entry of a list by its number or name.
        value: The new value.
        name: What the user wrote, for errors, such as ``--set train.epochs`` or ``epochs``.
    """

    path: tuple[str, ...]
    value: Any
    name: str


def option_names() -> dict[str, tuple[str, ...]]:
    """Return the place in a recipe and the other names of each option, by name."""
    return dict(_table())


@cache
def _table() -> dict[str, tuple[str, ...]]:
    hints = typing.get_type_hints(TrainOptions, include_extras=True)
    return {name: hint.__metadata__ for name, hint in hints.items()}


def changes_of(
    options: Mapping[str, Any], recipe: Mapping[str, Any], others: Sequence[str] = ()
) -> list[Change]:
    """Return the changes of a recipe that options ask for.

    Args:
        options: Options by name; a value of None changes nothing.
        recipe: The recipe as a mapping.
        others: Names of further arguments of the caller, for the suggestion of a mistyped name.

    Raises:
        UserError: If there is no such option, an option is given by two names, or no objective of
            the recipe has it.
    """
    known = {name: name for name in _table()}
    known |= {other: name for name, (_, *more) in _table().items() for other in more}
    found: dict[str, Change] = {}
    for given, value in options.items():
        if given not in known:
            raise UserError(_unknown(given, [*known, *others]), where="train")
        name = known[given]
        if value is None:
            continue
        if name in found:
            raise UserError(f"{given} and {found[name].name} are the same option", where="train")
        found[name] = Change(_place(name, recipe), plain(value), given)
    return list(found.values())


def nested_changes(settings: Mapping[str, Any], under: tuple[str, ...] = ()) -> Iterator[Change]:
    """Yield the changes that a nested dict asks for; keys may have dots.

    Args:
        settings: Such as ``{"train": {"epochs": 3}, "module.rank": 4}``.
        under: The keys above.
    """
    for key, value in settings.items():
        path = (*under, *str(key).split("."))
        if isinstance(value, Mapping) and value:
            yield from nested_changes(value, path)
        else:
            yield Change(path, plain(value), f"settings {'.'.join(path)}")


def plain(value: Any) -> Any:
    """Return a value of numpy as one of Python, and tuples as lists, as YAML would give them."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def _place(name: str, recipe: Mapping[str, Any]) -> tuple[str, ...]:
    place = _table()[name][0]
    if not place.startswith(OBJECTIVE):
        return tuple(place.split("."))
    option = place.removeprefix(OBJECTIVE)
    objectives = recipe.get("objectives")
    entries = objectives if isinstance(objectives, list) else []
    owners = [i for i, entry in enumerate(entries) if option in _options_of(entry)]
    if not owners and option in _module_options(recipe):
        return "module", option
    if not owners:
        raise UserError(f"no objective of this recipe has the option {option!r}", where=name)
    return "objectives", str(owners[0]), option


def _options_of(entry: Any) -> Sequence[str]:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    if name not in registry.names("objectives"):
        return ()
    return tuple(typing.get_type_hints(registry.load("objectives", str(name))))


def _module_options(recipe: Mapping[str, Any]) -> Sequence[str]:
    kind = (recipe.get("module") or {}).get("kind")
    if kind not in registry.names("modules"):
        return ()
    return tuple(registry.load("modules", str(kind)).Options.model_fields)


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return registry.unknown("option", name, list(known))
    return f"unknown option {name!r}; settings={{...}} changes any other part of the recipe"
