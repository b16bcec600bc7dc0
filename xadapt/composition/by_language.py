"""Compositions for one language, with the `ByLanguage` parts resolved."""

from __future__ import annotations

from xadapt.composition.values import ANY, ByLanguage, Composition, all_parts, rebuilt
from xadapt.core.errors import UserError
from xadapt.languages.match import find_same

NO_LANGUAGE = "zxx"  # the tag of what is in no language


def for_language(composition: Composition, tag: str) -> Composition:
    """Resolve the composition for rows of a language; the result has no `ByLanguage`.

    A part for other languages only is dropped: from ``by_language(de = a) + ner``, Swahili keeps
    ``ner``.

    Raises:
        UserError: If the tag is not a language tag.
    """
    if isinstance(composition, ByLanguage):
        return for_language(entry(composition, tag), tag)
    return rebuilt(composition, lambda part: for_language(part, tag))


def entry(choice: ByLanguage, tag: str) -> Composition:
    """Return a choice's part for a language, else its part for all others, else ``None``."""
    parts = dict(choice.parts)
    found = find_same(tag, [own for own in parts if own != ANY])
    return parts[found] if found else parts.get(ANY)


def opened(composition: Composition) -> list[Composition]:
    """List the resolved compositions: for each language that is named, and for any other."""
    tags = [tag for choice in choices(composition) for tag, _ in choice.parts if tag != ANY]
    return list(dict.fromkeys(for_language(composition, tag) for tag in (*tags, NO_LANGUAGE)))


def for_all(composition: Composition) -> Composition:
    """Return the composition for every row, if it is the same for all named languages.

    Raises:
        UserError: If the composition differs by language, or has a part for all others.
    """
    choice = choices(composition)
    if not choice:
        return composition
    tags = list(dict.fromkeys(tag for one in choice for tag, _ in one.parts))
    found = {for_language(composition, tag) for tag in tags if tag != ANY}
    if ANY in tags or len(found) != 1:
        known = ", ".join(tag for tag in sorted(tags) if tag != ANY)
        raise UserError(
            "several modules are loaded", todo=f"Give a language for each text ({known})"
        )
    return found.pop()


def choices(composition: Composition) -> list[ByLanguage]:
    """List all `ByLanguage` parts, outer ones first."""
    return [part for part in all_parts(composition) if isinstance(part, ByLanguage)]


def lacks(composition: Composition, tag: str) -> bool:
    """Whether a choice has no part for a language and no part for all others."""
    return any(
        find_same(tag, [own for own, _ in choice.parts if own != ANY]) is None
        and ANY not in dict(choice.parts)
        for choice in choices(composition)
    )
