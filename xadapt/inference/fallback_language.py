"""Which module stands in for a language that has none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xadapt.composition.values import ANY, ByLanguage, Composition
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import read_manifest
from xadapt.languages.families import stand_in
from xadapt.languages.match import find_same


class FallbackLanguageWarning(UserWarning):
    """Something else acts on rows of a language that no module is for."""


@dataclass(frozen=True)
class FallbackLanguages:
    """Languages whose modules may stand in for others of the same script and branch.

    Attributes:
        languages: What there are modules for.
        pivots: What modules are aligned to: rows of these stay the base's.
    """

    languages: tuple[str, ...] = ()
    pivots: tuple[str, ...] = ()

    def of(self, tag: str) -> str | None:
        """The language whose module stands in for another, or ``None``."""
        return None if find_same(tag, self.pivots) else stand_in(tag, self.languages)

    def and_(self, manifest: Manifest) -> FallbackLanguages:
        """With the languages of one more module."""
        pivots = (*self.pivots, *([manifest.pivot] if manifest.pivot else []))
        return FallbackLanguages(
            (*self.languages, *manifest.languages), tuple(dict.fromkeys(pivots))
        )

    def notice(self, tag: str) -> str:
        """One line for a person, of a language that no module is for."""
        near = self.of(tag)
        said = f"that for {near}, its relative, stands in" if near else "none stands in"
        return f"no module is for {tag}: {said}"


def fallback_languages(composition: Composition, folders: Iterable[str]) -> FallbackLanguages:
    """The relatives among modules that are each for their manifest's languages.

    Args:
        composition: What each language has.
        folders: The modules' folders.
    """
    if not isinstance(composition, ByLanguage):
        return FallbackLanguages()
    pivots = {read_manifest(folder).pivot for folder in folders}
    languages = tuple(tag for tag, _ in composition.parts if tag != ANY)
    return FallbackLanguages(languages, tuple(pivot for pivot in pivots if pivot))
