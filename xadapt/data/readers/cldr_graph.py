"""Build a multilingual knowledge graph from Babel's Unicode CLDR data, without a download.

Entities are territories, languages, scripts and currencies (``territory:DE``, ``language:de``,
``script:Cyrl``, ``currency:EUR``); region variants keep their region (``language:pt-BR``).
``kg_data/cldr/README.md`` documents the facts and pitfalls of the source.

Source: Unicode CLDR, licence Unicode-3.0, as packed by Babel (https://babel.pocoo.org).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import langcodes
from babel.core import get_global

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_labels import own_labels
from xadapt.data.readers.cldr_split import PARTS, PartName, split
from xadapt.data.records import EntityLabel, ParallelPair, Triple
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

MIN_NAMES = 100
"""The smallest number of own names of an available language."""

SPOKEN_PERCENT = 10.0
"""The smallest share of a territory's people for ``spoken_language``, in percent."""


@dataclass(frozen=True)
class Graph:
    """Entities with their names, their facts, and their parts.

    Attributes:
        entities: All ids, sorted. They do not depend on the requested languages.
        labels: The language's own name of each entity, NFC, by language tag, then by entity.
        triples: Sorted facts by relation ``official_language``, ``spoken_language``, ``currency``
            (territory first), ``script`` and ``main_territory`` (language first).
        split: The part of every entity. Entities that share a name in any language of the
            source share a part, and so no name of one part occurs in another.
    """

    entities: tuple[str, ...]
    labels: Mapping[str, Mapping[str, str]]
    triples: tuple[Triple, ...]
    split: Mapping[str, PartName]

    def names(self, lang: str, part: PartName | None = None) -> list[EntityLabel]:
        """Return the names in one language, of one part or of all, ordered by entity.

        The records have the requested tag, ``swh`` or ``sw``.

        Raises:
            UserError: If the graph was not built with that language, or there is no such part.
        """
        _check_part(part)
        labels, tag = self._labels(lang), normalise(lang)
        return [
            EntityLabel(entity, label, tag, origin=f"cldr:{entity}")
            for entity, label in labels.items()
            if part in (None, self.split[entity])
        ]

    def pairs(
        self,
        lang: str,
        pivot: str = "en",
        part: PartName | None = "train",
        *,
        drop_copies: bool = False,
    ) -> list[ParallelPair]:
        """Return pairs of names of one entity in two languages, ordered by entity.

        Args:
            lang: The language being adapted.
            pivot: The pivot language.
            part: ``train``, ``dev``, ``test``, or None for all.
            drop_copies: Drop names that are equal in both languages (up to case). String
                comparison finds them, so they measure nothing in an evaluation.

        Raises:
            UserError: If the graph was not built with these languages, or there is no such part.
        """
        _check_part(part)
        left, right = self._labels(lang), self._labels(pivot)
        tag, pivot_tag = normalise(lang), normalise(pivot)
        return [
            ParallelPair(label, right[entity], tag, pivot_tag, origin=f"cldr:{entity}")
            for entity, label in left.items()
            if entity in right
            and part in (None, self.split[entity])
            and not (drop_copies and label.casefold() == right[entity].casefold())
        ]

    def facts(self, part: PartName | None = None) -> list[Triple]:
        """Return the triples of a part.

        A fact is in ``train`` if both its ends are. It is in ``test`` if either end is. Otherwise
        it is in ``dev``. So training facts never contain a held-out name.

        Raises:
            UserError: If there is no such part.
        """
        _check_part(part)
        return [t for t in self.triples if part in (None, self.fact_part(t))]

    def fact_part(self, triple: Triple) -> PartName:
        """Return the part of a fact; see `facts`."""
        return max(self.split[triple.head], self.split[triple.tail], key=PARTS.index)

    def _labels(self, lang: str) -> Mapping[str, str]:
        tag = resolve(lang)
        if tag not in self.labels:
            raise UserError(
                f"the graph was built without {tag!r}", todo=f"It has {', '.join(self.labels)}"
            )
        return self.labels[tag]


def build(languages: Sequence[str] | None = None) -> Graph:
    """Build the graph with names in the given languages.

    Args:
        languages: BCP-47 or ISO 639-3 tags; None for all that have ``MIN_NAMES`` names.

    Returns:
        The graph. Equal calls return the same object.

    Raises:
        UserError: If a tag is invalid, or CLDR has no or too few names in that language. The error
            names the nearest available language.
    """
    tags = _catalogue() if languages is None else dict.fromkeys(map(resolve, languages))
    return _build(tuple(tags))


def languages() -> dict[str, int]:
    """Return the available languages with their numbers of names, most names first."""
    counts = {tag: len(names) for tag, names in _catalogue().items()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@cache
def resolve(tag: str) -> str:
    """Return the graph's tag for a language: ``swh`` gives ``sw``, ``zh-Hans`` gives ``zh``.

    Only tags with the same meaning are matched, by CLDR's likely subtags and by the
    macrolanguage's usual member. ``pt-PT`` stays unknown.

    Raises:
        UserError: If the graph lacks the language. The error names the nearest available language.
    """
    known = _catalogue()
    same = find_same(tag, known)
    if same is not None:
        return same
    wanted = normalise(tag)
    near = langcodes.closest_match(wanted, sorted(known), max_distance=80)[0]
    raise UserError(
        f"the CLDR graph has no {wanted!r}, or fewer than {MIN_NAMES} names in it",
        todo=f"The nearest it has is {near!r}" if near != "und" else f"It has {', '.join(known)}",
    )


@cache
def _catalogue() -> Mapping[str, Mapping[str, str]]:
    found = {tag: names for tag, names in own_labels().items() if len(names) >= MIN_NAMES}
    return MappingProxyType({tag: names for tag, names in found.items() if _can_be_asked_for(tag)})


def _can_be_asked_for(tag: str) -> bool:
    try:
        return normalise(tag) == tag
    except UserError:  # too new for langcodes
        return False


@cache
def _build(tags: tuple[str, ...]) -> Graph:
    catalogue = _catalogue()
    entities, parts = _entities_and_split()
    labels = {tag: catalogue[tag] for tag in tags}
    return Graph(entities, MappingProxyType(labels), _triples(), parts)


@cache
def _entities_and_split() -> tuple[tuple[str, ...], Mapping[str, PartName]]:
    every = own_labels().values()  # small languages too: parts must not depend on the offer
    entities = tuple(sorted({entity for names in every for entity in names}))
    return entities, MappingProxyType(split(entities, every))


@cache
def _triples() -> tuple[Triple, ...]:
    known = set(_entities_and_split()[0])
    found = {
        row
        for row in (*_language_facts(known), *_currency_facts(), *_subtag_facts(known))
        if row[0] in known and row[2] in known
    }
    return tuple(Triple(*row, origin="cldr") for row in sorted(found))


Row = tuple[str, str, str]


def _language_facts(known: set[str]) -> Iterable[Row]:
    for territory, spoken in get_global("territory_languages").items():
        for code, info in spoken.items():
            language = _language_entity(code, known)
            if info["official_status"] in ("official", "de_facto_official"):
                yield f"territory:{territory}", "official_language", language
            if info["population_percent"] >= SPOKEN_PERCENT:
                yield f"territory:{territory}", "spoken_language", language


def _currency_facts() -> Iterable[Row]:
    # not babel.numbers.get_territory_currencies, which depends on today's date
    for territory, history in get_global("territory_currencies").items():
        for code, _start, end, tender in history:
            if tender and end is None:
                yield f"territory:{territory}", "currency", f"currency:{code}"


def _subtag_facts(known: set[str]) -> Iterable[Row]:
    likely = get_global("likely_subtags")
    for entity in known:
        kind, code = entity.split(":")
        full = likely.get(code.replace("-", "_")) if kind == "language" else None
        if full is not None:
            *_, script, territory = full.split("_")
            yield entity, "script", f"script:{script}"
            if not territory.isdigit():  # Esperanto's is the world
                yield entity, "main_territory", f"territory:{territory}"


def _language_entity(code: str, known: set[str]) -> str:
    whole = f"language:{code.replace('_', '-')}"
    return whole if whole in known else f"language:{code.split('_')[0]}"


def _check_part(part: str | None) -> None:
    if part is not None and part not in PARTS:
        raise UserError(f"unknown part {part!r}", todo=f"Use {', '.join(PARTS)}")
