"""Matching of language tags that are written differently and mean the same language."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import langcodes

from xadapt.languages.tags import normalise


def find_same(tag: str, known: Iterable[str]) -> str | None:
    """Find the tag among ``known`` with the same language, script and region, or None.

    ``swh`` finds ``sw``, ``zh-Hans`` finds ``zh``, ``pt-BR`` finds ``pt``, ``nb`` finds ``no``;
    ``pt-PT`` finds nothing in ``["pt"]``. An equal tag is preferred to one with the same meaning.

    Raises:
        UserError: If ``tag`` is not a language tag.
    """
    tags = list(known)
    wanted = normalise(tag)
    if wanted in tags:
        return wanted
    return next((own for own in tags if spelled_out(own) == spelled_out(wanted)), None)


@cache
def spelled_out(tag: str) -> str:
    """Return the tag with its likely script and region.

    The usual member of a macrolanguage becomes the macrolanguage. A text that is no tag, such as a
    module's name, is returned as it is.

    Source: CLDR's likely subtags, as in the library langcodes.
    """
    try:
        language = langcodes.Language.get("no" if tag == "nb" else tag)
    except langcodes.LanguageTagError:
        return tag
    return str(language.prefer_macrolanguage().maximize())
