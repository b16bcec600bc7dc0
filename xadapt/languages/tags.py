"""Language tags of BCP-47. ISO 639-3 codes are accepted and shortened to BCP-47."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import langcodes

from xadapt.core.errors import UserError


@cache
def normalise(tag: str) -> str:
    """Convert a tag to canonical BCP-47: ``deu`` to ``de``, ``zh_hant`` to ``zh-Hant``.

    Raises:
        UserError: If ``tag`` is not a language tag of BCP-47 or ISO 639-3.
    """
    try:
        language = langcodes.Language.get(tag.strip(), normalize=True)
        valid = bool(tag.strip()) and language.is_valid() and language.language is not None
    except (langcodes.LanguageTagError, ValueError, AttributeError):
        valid = False
    if not valid or language.language == "und":
        raise UserError(
            f"unknown language tag {tag!r}", todo="Use BCP-47 or ISO 639-3, such as de, sw, zh-Hant"
        )
    return str(language.to_tag())


def is_tag(text: str) -> bool:
    """Whether a text is a language tag of BCP-47 or ISO 639-3."""
    try:
        normalise(text)
    except UserError:
        return False
    return True


@cache
def display_name(tag: str) -> str:
    """Return the English name of a language, such as ``Swahili``."""
    return str(langcodes.Language.get(tag).display_name("en"))


@cache
def script(tag: str) -> str:
    """Return the ISO 15924 code of the most likely script of a language, such as ``Cyrl``."""
    return str(langcodes.Language.get(tag).maximize().script or "Zyyy")


UNSPACED = frozenset({"Hans", "Hant", "Hani", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"})
"""Scripts that put no spaces between words."""


def is_spaced(tag: str) -> bool:
    """Return whether spaces stand between the words of a language."""
    return script(tag) not in UNSPACED


def text_of(words: Iterable[str], tag: str) -> str:
    """Return words of a language as a text."""
    return (" " if is_spaced(tag) else "").join(words)
