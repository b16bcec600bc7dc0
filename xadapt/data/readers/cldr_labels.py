"""Read the names that CLDR has for each language itself, without inherited names; clean them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from babel.core import get_global
from babel.localedata import load, locale_identifiers

SECTIONS = {
    "territories": "territory",
    "languages": "language",
    "scripts": "script",
    "currency_names": "currency",
}
"""The sections of display names in CLDR, and the prefixes of the ids of their entities."""

NOT_ENTITIES = {
    "territories": {"XA", "XB", "ZZ"},  # pseudo-locales; unknown
    "languages": {"mis", "mul", "root", "und", "zxx"},
    "scripts": {"Zinh", "Zxxx", "Zyyy", "Zzzz"},  # inherited; unwritten; common; unknown
    "currency_names": {"XTS", "XXX"},  # for tests; unknown
}
ALIASES = {
    "territories": "territory_aliases",
    "languages": "language_aliases",
    "scripts": "script_aliases",
}
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")  # not ZWJ and ZWNJ: they spell
NOTE = re.compile("[(﴿].*:")  # "Chinese (translation hint: ...)" is in a few files


@cache
def own_labels() -> Mapping[str, Mapping[str, str]]:
    """Return the names of every language, by BCP-47 tag, then by entity, without region variants.

    Babel fills a locale with the names of its parent. This function removes the parent's names
    again, except if the parent is the nameless root.
    """
    found = {}
    for locale in sorted(locale_identifiers()):
        if re.fullmatch("[a-z]+(_[A-Z][a-z]{3})?", locale):
            found[locale.replace("_", "-")] = _own(locale)
    return MappingProxyType({tag: names for tag, names in found.items() if names})


def _own(locale: str) -> Mapping[str, str]:
    names, inherited = _names(locale), _names(_parent(locale))
    return MappingProxyType({e: n for e, n in names.items() if inherited.get(e) != n})


@cache
def _names(locale: str) -> dict[str, str]:
    data = load(locale)
    found = {}
    for section, kind in SECTIONS.items():
        gone = _gone(section)
        for code, raw in data.get(section, {}).items():
            name = clean(raw)
            if name and name != code and code not in gone:
                found[f"{kind}:{code.replace('_', '-')}"] = name
    return dict(sorted(found.items()))


@cache
def _gone(section: str) -> frozenset[str]:
    superseded = get_global(ALIASES[section]) if section in ALIASES else {}  # type: ignore[arg-type]
    return frozenset(NOT_ENTITIES[section]).union(superseded)


def _parent(locale: str) -> str:
    """Return the parent locale that Babel merges in (the rule of ``babel.localedata.load``)."""
    named = get_global("parent_exceptions").get(locale)
    language, _, script = locale.partition("_")
    if named or not script:
        return named or "root"
    likely = get_global("likely_subtags").get(language, "")
    return language if script in likely.split("_") else "root"


def clean(name: str) -> str:
    """Clean a name: NFC, single spaces, no invisible marks; empty for a translator's note."""
    name = " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split())
    return "" if NOTE.search(name) else name
