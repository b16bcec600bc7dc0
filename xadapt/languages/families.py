"""Which languages are near enough to stand in for one another: one script, one branch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import langcodes

from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise, script

TABLE = Path(__file__).with_suffix(".tsv")
BRANCH = 2
"""Groups two languages must share: a family's name alone joins English and Hindi."""


def stand_in(tag: str, known: Iterable[str]) -> str | None:
    """The tag of the nearest language of the same script and branch, or ``None``.

    The more groups two languages share the nearer they are; of equally near ones the first counts.
    Families that the table does not divide need no branch. CLDR's matching distance is no guide
    here: it sends Zulu and Urdu to English.

    Source: ISO 639-5 groups, assigned by hand in ``language_families.tsv``; CLDR's likely scripts.

    Args:
        tag: A language none of the known ones is.
        known: Tags there is something for.

    Raises:
        UserError: ``tag`` is no language tag.
    """
    own, best, found = groups(tag), 0, None
    wanted = min(BRANCH, len(own))
    for other in known:
        shared = _shared(own, groups(other))
        if shared > best and shared >= max(1, wanted) and script(other) == script(normalise(tag)):
            best, found = shared, other
    return found


def groups(tag: str) -> tuple[str, ...]:
    """The groups of a language from the widest to the narrowest; none if the table lacks it.

    Raises:
        UserError: It is no language tag.
    """
    table = families()
    language = normalise(tag)
    bare = str(langcodes.Language.get(language).language)
    same = None if bare in table else find_same(language, table)
    return table.get(bare) or (table[same] if same else ())


@cache
def families() -> Mapping[str, tuple[str, ...]]:
    """The whole table: the groups of each language."""
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
