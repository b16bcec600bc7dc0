"""Split entities into train, dev and test parts, such that no name is in two parts."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

PartName = Literal["train", "dev", "test"]
PARTS: tuple[PartName, ...] = ("train", "dev", "test")
_TENTHS: tuple[PartName, ...] = ("test", "test", "dev", *("train",) * 7)  # type: ignore[assignment]


def split(entities: Iterable[str], names: Iterable[Mapping[str, str]]) -> dict[str, PartName]:
    """Return the part of each entity: seven tenths train, one dev, two test, by hash.

    Entities that share a name in one of the languages, such as a language and its script, form a
    group. Case, width, spaces and punctuation are ignored. Groups that share an entity are joined.
    A whole group gets one part, by the SHA-256 of its smallest id.

    Args:
        entities: All ids.
        names: For each language, the name of each entity that has one.
    """
    root = {entity: entity for entity in sorted(entities)}
    for labels in names:
        first: dict[str, str] = {}
        for entity, label in labels.items():
            _join(root, entity, first.setdefault(name_key(label), entity))
    return {entity: _part(_find(root, entity)) for entity in root}


def name_key(name: str) -> str:
    """Return the key by which names are equal: letters, marks and digits, NFKC, no case.

    Marks stay: an Indic name without its vowel signs would be a different name.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    kept = "".join(c for c in folded if unicodedata.category(c)[0] in "LMN")
    return kept or name.strip()


def _part(group: str) -> PartName:
    return _TENTHS[int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % 10]


def _find(root: dict[str, str], entity: str) -> str:
    while root[entity] != entity:
        root[entity] = root[root[entity]]
        entity = root[entity]
    return entity


def _join(root: dict[str, str], left: str, right: str) -> None:
    small, large = sorted((_find(root, left), _find(root, right)))
    root[large] = small
