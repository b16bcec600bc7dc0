"""Whether two language tags mean the same, though written differently."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import langcodes

from xadapt.languages.tags import normalise


def find_same(tag: str, known: Iterable[str]) -> str | None:
    """The tag among ``known`` that means the same language, script and region, or None.

    ``swh`` finds ``sw``, ``zh-Hans`` finds ``zh``, ``pt-BR`` finds ``pt``, ``nb`` finds ``no``;
    ``pt-PT`` finds nothing in ``["pt"]``. An equal tag goes before one that means the same.

    Raises:
        UserError: ``tag`` is no language tag.
    """
    tags = list(known)
    wanted = normalise(tag)
    if wanted in tags:
        return wanted
    return next((own for own in tags if spelled_out(own) == spelled_out(wanted)), None)


@cache
def spelled_out(tag: str) -> str:
    """The tag with its likely script and region, a macrolanguage for its usual member.

    Source: CLDR's likely subtags, as in the library langcodes.
    """
    language = langcodes.Language.get("no" if tag == "nb" else tag)
    return str(language.prefer_macrolanguage().maximize())
