"""What a composition is for one language: its `ByLanguage` parts opened up."""

from __future__ import annotations

from xadapt.composition.values import ANY, ByLanguage, Composition, all_parts, rebuilt
from xadapt.core.errors import UserError
from xadapt.languages.match import find_same

NO_LANGUAGE = "zxx"  # the tag of what is in no language


def for_language(composition: Composition, tag: str) -> Composition:
    """The composition that acts on rows of a language; it has no `ByLanguage` left.

    A part that is for other languages alone falls away: of ``by_language(de = a) + ner`` Swahili
    keeps ``ner``.

    Raises:
        UserError: The tag is no language tag.
    """
    if isinstance(composition, ByLanguage):
        return for_language(entry(composition, tag), tag)
    return rebuilt(composition, lambda part: for_language(part, tag))


def entry(choice: ByLanguage, tag: str) -> Composition:
    """What a choice holds for a language, else what it holds for all others, else nothing."""
    parts = dict(choice.parts)
    found = find_same(tag, [own for own in parts if own != ANY])
    return parts[found] if found else parts.get(ANY)


def opened(composition: Composition) -> list[Composition]:
    """What a composition can be for a row: for each language it names, and for any other."""
    tags = [tag for choice in choices(composition) for tag, _ in choice.parts if tag != ANY]
    return list(dict.fromkeys(for_language(composition, tag) for tag in (*tags, NO_LANGUAGE)))


def for_all(composition: Composition) -> Composition:
    """The composition that acts on every row, if it is the same for all languages it names.

    Raises:
        UserError: It is not.
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
    """All `ByLanguage` parts, outer ones first."""
    return [part for part in all_parts(composition) if isinstance(part, ByLanguage)]


def lacks(composition: Composition, tag: str) -> bool:
    """Whether some choice has nothing for a language, not even for all others."""
    return any(
        find_same(tag, [own for own, _ in choice.parts if own != ANY]) is None
        and ANY not in dict(choice.parts)
        for choice in choices(composition)
    )
