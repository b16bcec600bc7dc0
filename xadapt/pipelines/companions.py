"""Companions of a run: other, frozen modules that an objective learns from, such as a teacher."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.composition.by_language import choices
from xadapt.composition.composed import Composed
from xadapt.composition.text import show
from xadapt.composition.values import Composition, replaced
from xadapt.config.recipe import CompanionSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.hub.fetching import fetch, hub_module
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.opening import open_head, read_manifest, tensor_path
from xadapt.inference.locate import locate
from xadapt.inference.open_module import open_module
from xadapt.training.encoder_run import encoder_of
from xadapt.training.settings import Companion

HUB = "hf:"


@dataclass(frozen=True)
class Source:
    """The modules of one companion, located but not loaded.

    Attributes:
        composition: The composition of the companion; a single module is given by its folder.
        folders: The folder of each name in the composition.
        head: The folder whose task head is loaded, if the recipe asks for a head.
    """

    composition: Composition
    folders: Mapping[str, str]
    head: str | None = None


@dataclass(frozen=True)
class Companions:
    """The companions of a run by name, located before any base is loaded.

    Attributes:
        sources: The modules of the companions.
    """

    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def parents(self) -> list[str]:
        """The names of the folders, for the manifest of the new module."""
        every = [folder for source in self.sources.values() for folder in source.folders.values()]
        return list(dict.fromkeys(_name(folder) for folder in every))

    def identity(self) -> dict[str, str]:
        """Hash names, compositions and tensors; a resumed run requires the same hash."""
        if not self.sources:
            return {}
        state = hashlib.sha256()
        for name, source in sorted(self.sources.items()):
            numbers: dict[str, Composition] = {n: str(i) for i, n in enumerate(source.folders)}
            state.update(f"{name}: {show(replaced(source.composition, numbers))}\n".encode())
            for folder in source.folders.values():
                state.update(tensor_path(folder).read_bytes())
            if source.head:
                state.update((Path(source.head) / HEAD).read_bytes())
        return {"companions": state.hexdigest()}

    def open(self, base: FrozenModel) -> dict[str, Companion]:
        """Load the modules and heads on an encoder; they stay frozen.

        Raises:
            UserError: If a module was trained on another base, its parts can't act together, or
                the base is an encoder-decoder.
        """
        if not self.sources:
            return {}
        encoder = encoder_of(base)
        return {name: _open(name, source, encoder) for name, source in self.sources.items()}


def find_companions(
    specs: Mapping[str, CompanionSpec], given: Mapping[str, str] | None = None
) -> Companions:
    """Find the modules of a recipe's companions.

    Args:
        specs: The recipe's ``companions``.
        given: Modules by name: a folder, a composition of folders such as
            ``"runs/en + runs/ner"``, or ``hf:org/name``. They override those of the recipe.

    Raises:
        UserError: If the recipe has no companion of a given name, no module is named for a
            companion, or the named folder is no module or lacks a head.
    """
    for name in given or {}:
        if name not in specs:
            known = registry.unknown("companion", name, list(specs)) if specs else None
            raise UserError(
                known or f"the recipe has no companions, and {name!r} is given",
                where="--companion",
                todo="Leave it out, or use a recipe that learns from a companion",
            )
    return Companions({n: _find(n, spec, (given or {}).get(n)) for n, spec in specs.items()})


def _find(name: str, spec: CompanionSpec, given: str | None) -> Source:
    module = given or spec.module
    if not module:
        raise UserError(
            f"the recipe's companion {name!r} has no module",
            todo=f"Name its folder: --companion {name}=FOLDER",
        )
    if module.startswith(HUB):
        module = _fetched(module)
    composition, folders = locate((), show(module) if Path(module).is_dir() else module)
    if not folders or choices(composition):
        raise UserError(
            f"the companion {name!r} must be a module that acts alike on every row",
            where=module,
            todo="Name one module, or a composition without by_language",
        )
    return Source(composition, folders, _with_head(name, folders) if spec.head else None)


def _with_head(name: str, folders: Mapping[str, str]) -> str:
    """Find the one folder that has a task head."""
    found = [folder for folder in folders.values() if read_manifest(folder).head is not None]
    if len(found) != 1:
        count = "several heads" if found else "no task head"
        raise UserError(
            f"the companion {name!r} has {count}, and the recipe wants one",
            where=", ".join(found or folders.values()),
            todo="Name a module that was trained for a task, such as by the recipe ner",
        )
    return found[0]


def _fetched(source: str) -> str:
    """Fetch a module from the Hub, and return the folder."""
    found = hub_module(source)
    if found is None:
        raise UserError(
            "can't fetch this module: this is no id on the Hub",
            where=source,
            todo="Write hf:ORG/NAME or hf:ORG/NAME@REVISION",
        )
    return str(fetch(*found, where=source))


def _open(name: str, source: Source, encoder: Encoder) -> Companion:
    opened = {n: open_module(folder, encoder) for n, folder in source.folders.items()}
    modules: dict[str, nn.Module] = {n: module for n, (module, _) in opened.items()}
    single = isinstance(source.composition, str)
    whole = (
        modules[str(source.composition)]
        if single
        else Composed.checked(source.composition, modules)
    )
    head = None
    for n, (_, manifest) in opened.items():
        if source.folders[n] == source.head and manifest.head is not None:
            head = open_head(source.head, manifest.head, encoder.width).to(encoder.device)
            head.requires_grad_(False)
    return Companion(whole.requires_grad_(False).eval(), head)


def _name(folder: str) -> str:
    """Return the last part of a folder's path; for a Hub snapshot, the repository's name."""
    path = Path(folder).resolve()
    if path.parent.name == "snapshots":
        return path.parents[1].name.split("--")[-1]
    return path.name
