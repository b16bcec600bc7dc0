"""Training that begins with a module that exists, as the recipe's ``module.init`` names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.fingerprint import Fingerprint
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.config.recipe import Recipe
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.composition_file import open_composition
from xadapt.hub.fetching import hub_module, module_folder
from xadapt.hub.hashes import file_hash
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.head_files import spec_of
from xadapt.hub.manifest import Ancestor, Evidence, Manifest
from xadapt.hub.opening import open_head, require_module, tensor_path
from xadapt.hub.safe_paths import file_inside, is_folder
from xadapt.inference.open_module import open_module
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import ModuleOptions
from xadapt.modules.storage import build
from xadapt.pipelines.training_composition import TrainingComposition
from xadapt.tasks.development import evidence
from xadapt.training.checkpoint import Progress

WHERE = "module.init"
START = "starting module"
"""The control with the score of the module that training began with."""
FREE = ("entropy", "balance", "penalty")
"""Options that only a loss in training reads; they may change."""


@dataclass(frozen=True)
class StartingModule:
    """The module that training begins with, found but not loaded.

    Attributes:
        folder: Its folder; for a module on the Hub, the fetched copy.
        manifest: Its manifest.
        options: The options of the module under training: those of the folder, with other factors
            of its losses where the recipe asks for them.
        ancestor: The entry for the manifest of the new module.
    """

    folder: str
    manifest: Manifest
    options: ModuleOptions
    ancestor: Ancestor

    @property
    def ancestors(self) -> list[Ancestor]:
        """The module, and the modules that its own training began with, the nearest first."""
        return [self.ancestor, *self.manifest.started_from]

    def identity(self) -> dict[str, str]:
        """Return a hash of the values; a resumed run requires the same hash."""
        head = self.ancestor.head or ""
        return {WHERE: self.ancestor.tensors + head}

    def open(self, base: FrozenModel) -> nn.Module:
        """Load the module, to be trained further.

        Raises:
            UserError: If it was trained on another base, or the folder was modified.
        """
        module, _ = open_module(self.folder, base)
        if module.options != self.options:
            given = self.options.model_dump()
            other = build(self.manifest.module.kind, given, model_shape(base), where=WHERE)
            other.load_state_dict(module.state_dict())
            module = other
        return module.requires_grad_(True)

    def open_head(self, like: Head, width: int) -> Head | None:
        """Load the task head of the folder; ``None`` if it scores other labels, or is absent.

        Args:
            like: The head under training.
            width: Features of the base's states.
        """
        spec = self.manifest.head
        if spec is None or not _same_head(spec, spec_of(like)):
            return None
        return open_head(self.folder, spec, width)

    def fill(self, head: Head | None, width: int) -> None:
        """Copy the values of this module's head into the head under training, if both are alike.

        Args:
            head: The head under training.
            width: As for `open_head`.
        """
        known = None if head is None else self.open_head(head, width)
        if head is not None and known is not None:
            head.load_state_dict(known.state_dict())

    def compared(
        self,
        found: Sequence[Evidence],
        encoder: Encoder,
        within: TrainingComposition,
        dev: Sequence[Any],
        head: Head | None,
        cache: Kept | None,
    ) -> list[Evidence]:
        """Add the scores of this module, as it was at the start, to the claims of the new module.

        Args:
            found: The claims of the new module.
            encoder: The base.
            within: The compositions in which the module was trained.
            dev: The development records.
            head: The head that was trained. Nothing is added if this module has no such head.
            cache: Cached states from which the forwards may start.
        """
        known = None if head is None else self.open_head(head, encoder.width)
        if head is not None and known is None:
            return list(found)
        module = self.open(encoder).to(encoder.device)
        whole = next(iter(within.build(encoder, module)), module)
        own = None if known is None else known.to(encoder.device)
        values = {_key(one): one.value for one in evidence(encoder, whole, dev, own, cache)}
        return [
            one.model_copy(update={"controls": {**one.controls, START: values[_key(one)]}})
            if _key(one) in values
            else one
            for one in found
        ]

    def notes(self, head: Head | None, inside: Sequence[str]) -> list[str]:
        """Return what to report about the start of a run.

        Args:
            head: The head under training.
            inside: The compositions in which the module is trained now.
        """
        said = [f"training begins with {self.ancestor.name}"]
        spec = self.manifest.head
        if head is not None and (spec is None or not _same_head(spec, spec_of(head))):
            why = "has none" if spec is None else "has one with other labels"
            said.append(f"the task head begins anew: {self.ancestor.name} {why}")
        if head is None and spec is not None:
            said.append(f"the task head of {self.ancestor.name} is left out: this recipe has none")
        before = self.manifest.trained_inside
        if before and list(inside) != before:
            said.append(f"{self.ancestor.name} was trained inside {before[0]}, and now it is not")
        return said


def find_start(recipe: Recipe) -> StartingModule | None:
    """Find the module that a recipe's training begins with, before any base is loaded.

    Args:
        recipe: The recipe. Options of the module that it doesn't name are those of the folder.

    Returns:
        The module; ``None`` if the recipe begins with a new one.

    Raises:
        UserError: If there is no such module, it is a composition, or it differs in kind or in an
            option that the recipe names.
    """
    given = recipe.module.init
    if given is None:
        return None
    folder = module_folder(given)
    if open_composition(folder) is not None:
        raise UserError(
            "this is a composition, and training begins with one module",
            where=f"{WHERE}: {given}",
            todo="Name one of its modules, or merge LoRAs into one first: xadapt compose",
        )
    manifest = require_module(folder)
    kind = recipe.module.kind
    if manifest.module.kind != kind:
        raise UserError(
            f"this module is a {manifest.module.kind}, and the recipe trains a {kind}",
            where=f"{WHERE}: {given}",
            todo=f"Use a recipe of its kind, or --set module.kind={manifest.module.kind}",
        )
    options = _agreed(kind, manifest.module.options, recipe.module.options(), given)
    return StartingModule(folder, manifest, options, _ancestor(given, folder, manifest))


def no_better(start: StartingModule | None, progress: Progress) -> str | None:
    """Return a sentence if no step was better than the module that training began with."""
    if start is None or progress.best_step or progress.best_score == float("-inf"):
        return None
    return (
        f"No step was better on the development data than {start.ancestor.name}, with which "
        "training began: its values are kept"
    )


def _key(one: Evidence) -> tuple[Any, ...]:
    return one.task, one.data, one.metric, one.sides


def _same_head(one: Any, other: Any) -> bool:
    """Whether two heads give scores of the same meaning; the card's text doesn't matter."""
    return bool(one.model_copy(update={"card": None}) == other.model_copy(update={"card": None}))


def _agreed(kind: str, stored: dict[str, Any], asked: dict[str, Any], given: str) -> ModuleOptions:
    """Return the options of the module under training.

    Raises:
        UserError: If the recipe names an option with another value than the folder, or one that is
            malformed.
    """
    options = registry.load("modules", kind).Options
    try:
        own = options.model_validate(stored)
        wanted = options.model_validate({**own.model_dump(), **asked})
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise UserError(f"module option {at}: {first['msg']}", where=f"{WHERE}: {given}") from None
    differs = [
        name
        for name in options.model_fields
        if name not in FREE and getattr(own, name) != getattr(wanted, name)
    ]
    if differs:
        said = [f"{n} is {_shown(own, n)}, not {_shown(wanted, n)}" for n in differs]
        sets = [f"--set module.{name}={_shown(own, name)}" for name in differs]
        raise UserError(
            f"this module has another shape than the recipe asks for: {'; '.join(said)}",
            where=f"{WHERE}: {given}",
            todo=f"Take the module's: {' '.join(sets)}",
        )
    return wanted  # type: ignore[no-any-return]


def _shown(options: ModuleOptions, name: str) -> str:
    value = options.model_dump(mode="json")[name]
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _ancestor(given: str, folder: str, manifest: Manifest) -> Ancestor:
    """Build the entry of a module for the manifest of the module that begins with it."""
    place = Path(folder).resolve()
    snapshot = place.parent.name == "snapshots" and not is_folder(given)
    found = hub_module(given) if snapshot else None
    return Ancestor(
        name=manifest.name,
        id=found[0] if found else None,
        revision=place.name if found else None,
        tensors=file_hash(tensor_path(folder)).sha256,
        head=file_hash(file_inside(folder, HEAD)).sha256 if manifest.head else None,
        languages=manifest.languages,
        base=Fingerprint.from_dict(dict(manifest.base.fingerprint)).id,
    )
