"""The models that are served: loaded modules by name, and what a request's ``model`` stands for.

A module is loaded under a key that no other module ever has. So a request that was accepted keeps
its own module, even if the module is removed, or replaced by another one of the same name, while
the request waits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.by_language import for_all, for_language
from xadapt.composition.text import NAME, parse
from xadapt.composition.values import ARROW, Composition, names, replaced
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.hub.composition_file import open_composition
from xadapt.hub.fetching import hub_module, module_folder
from xadapt.hub.integrity import allowing_modified
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_head
from xadapt.hub.safe_paths import is_folder
from xadapt.inference.open_module import open_module
from xadapt.inference.prompts import prompts_of
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise
from xadapt.serving.errors import RequestError, no_model

BASE, AUTO = "base", "auto"
RESERVED = frozenset({BASE, AUTO, ARROW, "none", ""})
MAX_RESOLVED = 1000
"""Most requested models whose meaning is remembered."""


@dataclass(frozen=True, eq=False)
class Served:
    """One name of a module, or of a saved composition, with what was loaded for it.

    Attributes:
        name: The name.
        serial: A number that no other one has.
        source: Where it came from, as it was given.
        composition: The composition over keys.
        modules: The modules by key.
        manifests: Their manifests by key.
        heads: Their task heads by key.
        created: Time of loading, in seconds since 1970.
    """

    name: str
    serial: int
    source: str
    composition: Composition
    modules: Mapping[str, nn.Module]
    manifests: Mapping[str, Manifest]
    heads: Mapping[str, Head]
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def languages(self) -> list[str]:
        """The languages that the manifests name."""
        return list(dict.fromkeys(t for one in self.manifests.values() for t in one.languages))


@dataclass(frozen=True)
class Target:
    """What a request's model stands for.

    Attributes:
        name: The name that the client gave.
        composition: The composition over keys; ``None`` is the bare base.
        modules: The modules by key.
        manifests: Their manifests by key.
        heads: Their heads by key.
    """

    name: str
    composition: Composition = None
    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    heads: Mapping[str, Head] = field(default_factory=dict)

    def prompts(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the prompts by name: the base's own, or those that the modules were trained with.

        Raises:
            UserError: If the modules were trained with different prompts.
        """
        return prompts_of(base, self.manifests)

    def dimensions(self, full: int) -> list[int]:
        """Return the numbers of first values that all modules were trained for, and the whole."""
        every = [set(one.recipe.get("dimensions") or ()) for one in self.manifests.values()]
        common = set.intersection(*every) if every else set()
        return sorted({full} | {n for n in common if isinstance(n, int) and 0 < n < full})

    def head(self, kinds: Sequence[str], route: str) -> Head:
        """Return the one head of some kinds.

        Raises:
            RequestError: If there is no such head or several, or it reads translations.
        """
        found = [head for head in self.heads.values() if head.task in kinds]
        if len(found) != 1:
            said = "several heads" if found else "no head"
            raise RequestError(
                400,
                f"{self.name} has {said} for {route} ({', '.join(kinds)})",
                param="model",
                code="no_head",
            )
        if found[0].fused is not None:
            raise RequestError(
                400, f"the head of {self.name} reads translations, which are not served",
                param="model", code="no_head",
            )  # fmt: skip
        return found[0]


class ModelTable:
    """The loaded modules of one process.

    Changes replace the whole mapping, so that readers need no lock; only one thread may change it
    at a time.

    Args:
        encoder: The base.
        base: The name of the base.
        compositions: Compositions with a name, ``NAME=COMPOSITION``, over names of modules.
        allow_modified: As for `Settings`.

    Raises:
        UserError: If the text of a composition is malformed, or its name is taken.
    """

    def __init__(
        self,
        encoder: Encoder,
        base: str,
        compositions: Sequence[str] = (),
        allow_modified: bool = False,
    ) -> None:
        self.encoder, self.base, self.allow_modified = encoder, base, allow_modified
        self.created = int(time.time())
        self.served: Mapping[str, Served] = {}
        self.compositions: dict[str, Composition] = {}
        self._resolved: dict[tuple[str, str | None], Target] = {}
        self._by_tag: dict[str, str] = {}
        for text in compositions:
            name, equals, written = text.partition("=")
            if not equals:
                raise UserError(
                    f"the composition {text!r} has no name", todo="Write NAME=COMPOSITION"
                )
            self.require_name(name)
            self.compositions[name] = parse(written)

    def require_name(self, name: str) -> str:
        """Return a name that a new model may have.

        Raises:
            UserError: If it is malformed or taken.
        """
        if not NAME.fullmatch(name) or ":" in name or len(name) > 200:
            raise UserError(
                f"a model can't be named {name[:100]!r}",
                todo="Use letters, digits and _-./~, at most 200",
            )
        taken = (*RESERVED, self.base, *self.compositions, *self.served)
        if name in taken:
            raise UserError(f"there is a model named {name!r} already")
        return name

    def load(self, name: str, source: str, folder: str, serial: int) -> Served:
        """Verify and load a module or a saved composition; the table does not change.

        Args:
            name: Its name.
            source: Where it came from, for people.
            folder: Its folder on this machine.
            serial: A number that no other one has.

        Raises:
            UserError: If the folder is no module of this base, or was modified after publication.
        """
        with allowing_modified(self.allow_modified):
            saved = open_composition(folder)
            places = {name: Path(folder)} if saved is None else saved[1]
            composition: Composition = name if saved is None else saved[0]
            keys = {inner: f"{name}@{serial}" if saved is None else f"{name}~{inner}@{serial}"
                    for inner in places}  # fmt: skip
            modules, manifests, heads = {}, {}, {}
            for inner, where in places.items():
                module, manifest = open_module(str(where), self.encoder)
                key = keys[inner]
                modules[key], manifests[key] = module.to(self.encoder.device).eval(), manifest
                if manifest.head is not None:
                    heads[key] = open_head(where, manifest.head, self.encoder.width).to(
                        self.encoder.device
                    )
        whole = replaced(composition, dict(keys))
        return Served(name, serial, source, whole, modules, manifests, heads)

    def put(self, served: Served) -> None:
        """Serve a loaded module.

        Raises:
            UserError: If its name is taken.
        """
        self.require_name(served.name)
        self._change({**self.served, served.name: served})

    def require_unused(self, name: str) -> None:
        """Refuse the removal of a module that is not there, or that a composition names.

        Raises:
            RequestError: If it may not be removed.
        """
        if name not in self.served:
            raise no_model(name)
        users = [own for own, value in self.compositions.items() if name in names(value)]
        if users:
            raise RequestError(
                409, f"the composition {users[0]!r} names {name!r}", param="model", code="in_use"
            )

    def drop(self, name: str) -> Served:
        """Serve a module no more; requests that were accepted keep it."""
        found = self.served[name]
        self._change({own: value for own, value in self.served.items() if own != name})
        return found

    def _change(self, served: Mapping[str, Served]) -> None:
        self.served, self._resolved, self._by_tag = served, {}, {}

    def resolve(self, model: str, language: str | None = None) -> Target:
        """Return what a model stands for.

        Args:
            model: A name, or the text of a composition of names.
            language: Language of the texts, for a composition that chooses by it.

        Raises:
            RequestError: If there is no such model, or it needs a language.
        """
        found = self._resolved.get((model, language))
        if found is None:
            resolved = self._resolved
            found = self._resolve(model, language)
            if len(resolved) < MAX_RESOLVED:
                resolved[model, language] = found
        return found

    def _resolve(self, model: str, language: str | None) -> Target:
        served = self.served
        if model in (BASE, self.base):
            return Target(model)
        if model in served:
            written: Composition = model
        elif model in self.compositions:
            written = self.compositions[model]
        else:
            written = _parsed(model, served)
        missing = [name for name in names(written) if name not in served]
        if missing:
            raise no_model(model, f"there is no module {missing[0]!r}")
        parts = [served[name] for name in names(written)]
        try:
            whole = replaced(written, {own.name: own.composition for own in parts})
            one = for_all(whole) if language is None else for_language(whole, normalise(language))
        except (UserError, ValueError) as error:
            raise RequestError(400, str(error), param="model", code="invalid_model") from None
        used = set(names(one))
        return Target(
            model,
            one,
            {key: one for own in parts for key, one in own.modules.items() if key in used},
            {key: one for own in parts for key, one in own.manifests.items() if key in used},
            {key: one for own in parts for key, one in own.heads.items() if key in used},
        )

    def for_language(self, tag: str) -> str:
        """Return the model for a detected language, else the base.

        It is the first module for the language that has no task head.
        """
        known = self._by_tag  # before the modules are looked at: another thread may change both
        if tag not in known:
            owners: dict[str, str] = {}
            for own in self.served.values():
                for language in own.languages if not own.heads else ():
                    owners.setdefault(language, own.name)
            try:
                same = find_same(tag, owners)
            except UserError:
                same = None
            known[tag] = owners[same] if same else BASE
        return known[tag]

    def entries(self) -> Iterable[dict[str, object]]:
        """List all models, as ``GET /v1/models`` does."""
        yield _entry(BASE, self.created, root=self.base)
        yield _entry(AUTO, self.created)
        for name, own in self.served.items():
            heads = sorted({head.task for head in own.heads.values()})
            kinds = sorted({one.module.kind for one in own.manifests.values()})
            yield _entry(name, own.created, languages=own.languages, kinds=kinds, heads=heads)
        for name in self.compositions:
            yield _entry(name, self.created)


def _entry(name: str, created: int, **more: object) -> dict[str, object]:
    return {"id": name, "object": "model", "created": created, "owned_by": "xadapt", **more}


def _parsed(text: str, served: Mapping[str, Served]) -> Composition:
    """Read a model that is the text of a composition.

    Raises:
        RequestError: If it is not.
    """
    try:
        return parse(text)
    except (UserError, ValueError):
        raise no_model(text) from None


def default_name(source: str) -> tuple[str, str]:
    """Split a module that is given as ``SOURCE`` or ``NAME=SOURCE`` into name and source.

    Without a name, a folder is named by its last part, and a module of the Hub by its id.
    """
    name, equals, place = (source, "", source) if is_folder(source) else source.partition("=")
    if equals:
        return name, place
    found = hub_module(source)
    if found is not None and not is_folder(source):
        return found[0], source
    return Path(source).resolve().name, source


def allowed_folder(source: str, root: str | None) -> str:
    """Return the folder of a module that is added while the server runs, fetched if need be.

    Args:
        source: A folder or a Hub id.
        root: The only folder from which a path may be taken; ``None`` allows every path.

    Raises:
        UserError: If the path lies elsewhere, or there is no such module.
    """
    if root is not None and (is_folder(source) or hub_module(source) is None):
        inside = Path(os.path.realpath(source)).is_relative_to(os.path.realpath(root))
        if not inside:
            raise UserError(
                "modules are only added from the folder of --module-root, or from the Hub",
                where=source,
            )
    return module_folder(source)
