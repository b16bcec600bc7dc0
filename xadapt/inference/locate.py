"""Find the folder of each module of a composition, before any base is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xadapt.composition.text import parse
from xadapt.composition.values import ARROW, ByLanguage, Composition, names, replaced, require_few
from xadapt.core.errors import UserError
from xadapt.hub.composition_file import open_composition
from xadapt.hub.fetching import module_folder
from xadapt.hub.opening import require_module
from xadapt.hub.safe_paths import is_folder
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise


def locate(
    folders: Sequence[str], compose: str | Composition = None, given: Sequence[str] = ()
) -> tuple[Composition, dict[str, str]]:
    """Find a composition and the folders of the modules it names, before any base is loaded.

    Args:
        folders: As for `AdaptedEncoder.load`: folders or Hub ids. A folder may also hold a
            composition that was saved.
        compose: As for `AdaptedEncoder.load`.
        given: Names in the composition that stand for no folder.

    Raises:
        UserError: If a folder is no module, or it is not clear which module is for a language.
    """
    composition = parse(compose) if isinstance(compose, str) else compose
    places = _places(folders)
    if ARROW in places:
        raise UserError(
            f"{ARROW!r} is a way of routing", where=places[ARROW], todo="Give it another name"
        )
    if compose is None:
        places = {name: module_folder(folder) for name, folder in places.items()}
    if compose is None and len(places) == 1:
        [(name, folder)] = places.items()
        composition = name if open_composition(folder) else None
    if compose is None and composition is None:
        return _by_manifests(places), places
    inner: dict[str, Composition] = {}
    for name, folder in _named(composition, places, given).items():
        saved = open_composition(folder)
        if saved is None:
            require_module(folder)
            places[name] = folder
            continue
        paths = {own: str(path) for own, path in saved[1].items()}
        inner[name] = replaced(saved[0], dict(paths))
        places.update({path: path for path in paths.values()})
    try:
        composition = require_few(replaced(composition, inner)) if inner else composition
    except ValueError as error:
        raise UserError(str(error), where="composition") from None
    return composition, {name: places[name] for name in names(composition) if name not in given}


def short_names(places: Iterable[str]) -> dict[str, Composition]:
    """Shorten modules' names, which may be folders, to their last parts; each stays unique."""
    short: dict[str, Composition] = {}
    for name in places:
        last = Path(name).name
        number = sum(str(own).partition("~")[0] == last for own in short.values())
        short[name] = f"{last}~{number + 1}" if number else last
    return short


def _places(folders: Sequence[str]) -> dict[str, str]:
    """Return folders or Hub ids by name; one without a name is named by itself."""
    places: dict[str, str] = {}
    for given in folders:
        name, _, folder = (given, "", given) if is_folder(given) else given.partition("=")
        if name in places:
            raise UserError(f"two modules are named {name!r}", where=given)
        places[name] = folder or name
    return places


def _by_manifests(places: Mapping[str, str]) -> Composition:
    """Compose by language: each module for the languages its manifest names.

    Raises:
        UserError: If two modules are for one language, or one of several names no language.
    """
    owners: dict[str, str] = {}
    for name, folder in places.items():
        tags = require_module(folder).languages
        if not tags and len(places) == 1:  # such as an imported one: it acts on every row
            return name
        if not tags:
            raise UserError(
                "this module names no language",
                where=folder,
                todo="Say with a composition where each module acts",
            )
        for tag in tags:
            if tag in owners:
                raise UserError(
                    f"two modules are for language {tag!r}, this one and {places[owners[tag]]}",
                    where=folder,
                    todo="Load one of them, or say with a composition which acts where",
                )
            owners[tag] = name
    return ByLanguage(dict(owners)) if owners else None


def _named(
    composition: Composition, places: Mapping[str, str], given: Sequence[str]
) -> dict[str, str]:
    """Find the folder of each name in a composition."""
    found = {}
    for name in names(composition):
        if name in given:
            continue
        kind, _, tag = name.partition(":")
        if name not in places and kind == "lang" and tag:
            found[name] = _for_tag(normalise(tag), places)
        else:
            found[name] = module_folder(places.get(name, name))
    return found


def _for_tag(tag: str, places: Mapping[str, str]) -> str:
    folders = list(map(module_folder, places.values()))
    fits = [folder for folder in folders if find_same(tag, require_module(folder).languages)]
    if len(fits) != 1:
        raise UserError(
            f"{'no module is' if not fits else 'several modules are'} for language {tag!r}",
            where="composition",
            todo=f"Name one of {', '.join(fits or places) or 'your folders'}",
        )
    return fits[0]
