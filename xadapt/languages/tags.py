"""Language tags: BCP-47, with ISO 639-3 accepted and brought to its shortest form."""

from __future__ import annotations

from functools import cache

import langcodes

from xadapt.core.errors import UserError


@cache
def normalise(tag: str) -> str:
    """Bring a tag to canonical BCP-47: ``deu`` to ``de``, ``zh_hant`` to ``zh-Hant``.

    Raises:
        UserError: It is no language tag of BCP-47 or ISO 639-3.
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


@cache
def display_name(tag: str) -> str:
    """The English name of a language, such as ``Swahili``."""
    return str(langcodes.Language.get(tag).display_name("en"))


@cache
def script(tag: str) -> str:
    """The ISO 15924 code of the script the language is most likely written in, such as ``Cyrl``."""
    return str(langcodes.Language.get(tag).maximize().script or "Zyyy")
