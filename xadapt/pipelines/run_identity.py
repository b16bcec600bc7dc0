"""The identity of a run: the inputs of a module, and the differences from an earlier run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.fingerprint import Fingerprint, compare
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.core.files import read_json, write_json
from xadapt.data.loading.records import Loaded, Source, digest
from xadapt.hub.manifest import Manifest
from xadapt.pipelines.companions import Companions
from xadapt.pipelines.outcome import same_recipe, tags
from xadapt.pipelines.starting_module import StartingModule
from xadapt.pipelines.training_composition import TrainingComposition

FILE = "identity.json"
BASE, RECIPE, DEV = "base", "recipe", "development pairs"


def identity(
    recipe: Recipe,
    base: FrozenModel,
    loaded: Loaded,
    within: TrainingComposition,
    companions: Companions,
    start: StartingModule | None = None,
    teacher: Encoder | None = None,
) -> dict[str, str | int]:
    """Compute the identity of a run: a hash of each input that a trained module depends on.

    Args:
        recipe: The recipe, which holds the seed.
        base: The base.
        loaded: Training and development records.
        within: The compositions in which the module is trained.
        companions: The modules that it learns from.
        start: The module that training begins with.
        teacher: Another model that it learns from.
    """
    return {
        RECIPE: hashlib.sha256(as_yaml(recipe).encode()).hexdigest(),
        BASE: base.fingerprint,
        "pooling": hashlib.sha256(repr(_pooling(base)).encode()).hexdigest(),
        "data": loaded.sha256,
        DEV: digest(loaded.dev),
        **within.identity(),
        **companions.identity(),
        **(start.identity() if start else {}),
        **({} if teacher is None else {"teacher": teacher.fingerprint}),
    }


def as_yaml(recipe: Recipe) -> str:
    """Return a recipe as the text that is stored and hashed."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), allow_unicode=True, sort_keys=False)


def save_identity(folder: Path, value: Mapping[str, Any]) -> None:
    """Write an identity into the folder of a run's state."""
    write_json(folder / FILE, dict(value))


def identity_differences(folder: Path, wanted: Mapping[str, Any]) -> list[str]:
    """Return the parts of the identity stored in a folder that differ from those wanted.

    The recipe and the base are compared by the manifest, which accepts equivalent settings of a
    newer version. A folder of an older version has no identity; then nothing differs.

    Raises:
        UserError: If the stored identity is malformed.
    """
    if not (folder / FILE).is_file():
        return []
    stored = read_json(folder / FILE)
    if not isinstance(stored, dict):
        raise UserError("this is no identity of a run", where=str(folder / FILE))
    both = [*wanted, *(key for key in stored if key not in wanted)]
    return [k for k in both if k not in (RECIPE, BASE) and stored.get(k) != wanted.get(k)]


def manifest_differences(old: Manifest, new: Manifest) -> list[str]:
    """Return the differences between an existing module and the module a run would make.

    Args:
        old: The manifest of the existing module.
        new: The manifest as the run would write it.
    """
    prints = [Fingerprint.from_dict(dict(one.base.fingerprint)) for one in (old, new)]
    found = [f"{BASE} ({'; '.join(said)})"] if (said := compare(*prints)) else []
    shape = [(one.pooling, one.prompt, one.max_length) for one in (old, new)]
    rows = [[(data.sha256, data.rows) for data in one.data] for one in (old, new)]
    pairs: dict[str, list[Any]] = {
        "pooling": shape,
        "data": rows,
        "pivot": [old.pivot, new.pivot],
        "callables": [old.callables, new.callables],
        "composition": [old.trained_inside, new.trained_inside],
        "starting module": [old.started_from, new.started_from],
    }
    return found + [name for name, (before, now) in pairs.items() if before != now]


def quick_differences(
    manifest: Manifest,
    recipe: Recipe,
    sources: Sequence[Source],
    within: TrainingComposition,
    asked: Mapping[str, str | None],
) -> list[str]:
    """Return the differences from an existing module that need neither data nor base.

    Args:
        manifest: The manifest of the existing module.
        recipe: The recipe of the run.
        sources: The data of the run.
        within: The compositions in which the module would be trained.
        asked: The ``base id``, the ``licence`` and the ``data licence`` of the run; ``None`` asks
            for nothing.
    """
    of_data = next((data.licence for data in manifest.data), None)
    named = {"base id": manifest.base.id, "licence": manifest.licence, "data licence": of_data}
    pairs = {
        RECIPE: same_recipe(manifest, recipe),
        "language": manifest.languages == tags(sources),
        "composition": manifest.trained_inside == within.texts,
        **{name: value in (None, named[name]) for name, value in asked.items()},
    }
    return [name for name, same in pairs.items() if not same]


def require_same(folder: Path, differs: list[str]) -> None:
    """Refuse a finished module that differs from the requested module.

    Raises:
        UserError: If anything differs. The error lists all differences.
    """
    if differs:
        raise UserError(
            "the output folder holds a finished module of another "
            f"{' and another '.join(dict.fromkeys(differs))}",
            where=str(folder),
            todo="Name another folder, remove it, or give what it was made of",
        )


def _pooling(base: FrozenModel) -> tuple[Any, ...]:
    if isinstance(base, Encoder):
        return base.pooling.to_dict(), base.pooling.prompt, base.max_length
    return (base.max_length,)
