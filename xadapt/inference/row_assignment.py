"""Assign a composition to each row, and change the assignment when modules come or go."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from xadapt.composition.by_language import for_all, for_language, lacks
from xadapt.composition.text import show
from xadapt.composition.values import ByLanguage, Composition, names
from xadapt.core.errors import UserError
from xadapt.inference.fallback_language import FallbackLanguages, FallbackLanguageWarning
from xadapt.languages.match import find_same

CALLER = 4  # frames from a warning here up to the caller of AdaptedEncoder.encode


def choose(
    composition: Composition,
    fallbacks: FallbackLanguages,
    n: int,
    languages: Sequence[str | None] | None,
    compositions: Sequence[Composition] | None,
) -> list[Composition]:
    """Choose the composition of each of ``n`` rows, without `ByLanguage`.

    Args:
        composition: The composition of all rows where ``compositions`` is not given.
        fallbacks: Fallback languages for languages that the composition has no module for.
        n: Number of rows.
        languages: As for `AdaptedEncoder.encode`.
        compositions: As for `AdaptedEncoder.encode`.

    Raises:
        UserError: As for `AdaptedEncoder.encode`.
    """
    given = [composition] * n if compositions is None else list(compositions)
    for rows, what in ((given, "compositions"), (languages, "languages")):
        if rows is not None and len(rows) != n:
            raise UserError(f"{n} texts and {len(rows)} {what}: give one for each text")
    if languages is None:
        opened = {own: for_all(own) for own in set(given)}
        return [opened[own] for own in given]
    if compositions is None:
        near = {tag: fallbacks.of(tag) for tag in bare(composition, languages)}
        for tag in near:
            if find_same(tag, fallbacks.pivots):  # the base's own vectors are what is wanted
                continue
            warnings.warn(fallbacks.notice(tag), FallbackLanguageWarning, stacklevel=CALLER)
        languages = [near.get(tag) or tag for tag in languages]  # type: ignore[arg-type]
    pairs = list(zip(given, languages, strict=True))
    found = {(own, tag): None if tag is None else for_language(own, tag) for own, tag in set(pairs)}
    return [found[pair] for pair in pairs]


def as_compositions(
    compositions: Composition | Sequence[Composition], n: int
) -> list[Composition] | None:
    """Return a composition for each of ``n`` rows; a single composition is for all rows.

    Raises:
        UserError: If the number of compositions is not ``n``.
    """
    if compositions is None:
        return None
    several = isinstance(compositions, Sequence) and not isinstance(compositions, str)
    found = list(compositions) if several else [compositions] * n  # type: ignore[arg-type]
    if len(found) != n:
        raise UserError(f"{n} texts and {len(found)} compositions: give one for each text")
    return found  # type: ignore[return-value]


def bare(composition: Composition, languages: Sequence[str | None]) -> list[str]:
    """Return the languages for which some part of a composition has no module."""
    named = [tag for tag in dict.fromkeys(languages) if tag is not None]
    return [tag for tag in named if lacks(composition, tag)]


def with_modules(
    composition: Composition, languages: Sequence[str | None] | None
) -> list[str | None] | None:
    """Return languages, with ``None`` for one that the composition has no module for.

    Such a row has the module of a fallback language. A vocabulary of that is not for the row's
    own language, so the text decides how the row is read.
    """
    if languages is None:
        return None
    missing = set(bare(composition, languages))
    return [None if tag in missing else tag for tag in languages]


def by_names(modules: Mapping[str, nn.Module]) -> Composition:
    """Compose by language: each module for the language of its name; ``None`` without modules."""
    first = {id(module): name for name, module in reversed(list(modules.items()))}
    return ByLanguage({name: first[id(m)] for name, m in modules.items()}) if modules else None


def with_one(composition: Composition, name: str, tags: Sequence[str]) -> Composition:
    """Add a module to a choice by language, for some languages.

    Raises:
        UserError: If there is a module for one of these languages already.
    """
    parts = dict(composition.parts) if isinstance(composition, ByLanguage) else {}
    for tag in tags:
        if tag in parts:
            raise UserError(
                f"two modules are for language {tag!r}, {name} and {show(parts[tag])}",
                todo="Remove one, or say with a composition which acts where",
            )
        parts[tag] = name
    return ByLanguage(parts) if parts else None


def without(
    composition: Composition, fallbacks: FallbackLanguages, name: str
) -> tuple[Composition, FallbackLanguages]:
    """Remove a module from a choice by language and from the fallback languages.

    Raises:
        UserError: If the module is part of a larger composition for a language.
    """
    parts = composition.parts if isinstance(composition, ByLanguage) else ()
    left = {tag: own for tag, own in parts if own != name}
    if any(name in names(own) for own in left.values()):
        raise UserError(f"the composition names {name!r}", where=show(composition))
    gone = {tag for tag, _ in parts if tag not in left}
    languages = tuple(tag for tag in fallbacks.languages if tag not in gone)
    return (ByLanguage(left) if left else None), replace(fallbacks, languages=languages)
