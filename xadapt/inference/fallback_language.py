"""Fallback languages: the language whose module is used for a language without a module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xadapt.composition.values import ByLanguage, Composition
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import read_manifest
from xadapt.languages.families import stand_in
from xadapt.languages.match import find_same
from xadapt.languages.tags import is_tag


class FallbackLanguageWarning(UserWarning):
    """The warning that a fallback acts on rows of a language without a module."""


@dataclass(frozen=True)
class FallbackLanguages:
    """Languages whose modules may be the fallback of others of the same script and branch.

    Attributes:
        languages: The languages with a module.
        pivots: The languages that modules are aligned to; the bare base encodes their rows.
    """

    languages: tuple[str, ...] = ()
    pivots: tuple[str, ...] = ()

    def of(self, tag: str) -> str | None:
        """Return the fallback language of a language, or ``None``."""
        return None if find_same(tag, self.pivots) else stand_in(tag, self.languages)

    def and_(self, manifest: Manifest) -> FallbackLanguages:
        """Return the fallback languages with those of one more module."""
        pivots = (*self.pivots, *([manifest.pivot] if manifest.pivot else []))
        return FallbackLanguages(
            (*self.languages, *manifest.languages), tuple(dict.fromkeys(pivots))
        )

    def notice(self, tag: str) -> str:
        """Return one line for people about a language without a module."""
        near = self.of(tag)
        said = f"that for {near}, its relative, stands in" if near else "none stands in"
        return f"no module is for {tag}: {said}"


def fallback_languages(composition: Composition, folders: Iterable[str]) -> FallbackLanguages:
    """Return the fallback languages of modules that are each for their manifest's languages.

    Args:
        composition: The composition by language.
        folders: The modules' folders.
    """
    if not isinstance(composition, ByLanguage):
        return FallbackLanguages()
    pivots = {read_manifest(folder).pivot for folder in folders}
    languages = tuple(tag for tag, _ in composition.parts if is_tag(tag))
    return FallbackLanguages(languages, tuple(pivot for pivot in pivots if pivot))
