"""Fallback languages: the nearest language of the same script and the same branch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import langcodes

from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise, script

TABLE = Path(__file__).with_suffix(".tsv")
BRANCH = 2
"""Number of groups that two languages must share.

The family alone is not enough: English and Hindi share one.
"""


def find_fallback(tag: str, known: Iterable[str]) -> str | None:
    """Return the fallback language: the nearest of the same script and branch, or ``None``.

    Two languages are nearer the more groups they share. Of equally near languages, the first is
    taken. In families that the table does not divide, the family is enough. CLDR's matching
    distance is not used, because it maps Zulu and Urdu to English.

    Source: ISO 639-5 groups, assigned by hand in ``families.tsv``; CLDR's likely scripts.

    Args:
        tag: A language that is not among the known ones.
        known: The tags of the available languages.

    Raises:
        UserError: If ``tag`` is not a language tag.
    """
    own, best, found = groups(tag), 0, None
    wanted = min(BRANCH, len(own))
    for other in known:
        shared = _shared(own, groups(other))
        if shared > best and shared >= max(1, wanted) and script(other) == script(normalise(tag)):
            best, found = shared, other
    return found


def shared_groups(left: str, right: str) -> int:
    """Return the number of groups that two languages share, from the widest to the narrowest.

    Raises:
        UserError: If one is not a language tag.
    """
    return _shared(groups(left), groups(right))


def groups(tag: str) -> tuple[str, ...]:
    """Return the groups of a language, from the widest to the narrowest.

    The result is empty if the table lacks the language.

    Raises:
        UserError: If ``tag`` is not a language tag.
    """
    table = families()
    language = normalise(tag)
    bare = str(langcodes.Language.get(language).language)
    same = None if bare in table else find_same(language, table)
    return table.get(bare) or (table[same] if same else ())


@cache
def families() -> Mapping[str, tuple[str, ...]]:
    """Read the whole table: the groups of each language."""
    rows = TABLE.read_text(encoding="utf-8").splitlines()
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if row and not row.startswith("#"):
            path, _, tags = row.partition("\t")
            found.update(dict.fromkeys(tags.split(), tuple(path.split())))
    return found


def _shared(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    shared = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        shared += 1
    return shared
