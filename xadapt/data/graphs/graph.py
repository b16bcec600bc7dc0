"""Knowledge graphs: entities with names in languages, and facts between them, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.registry import unknown
from xadapt.data.graphs.components import components
from xadapt.data.graphs.names import Names
from xadapt.data.readers.cldr_split import PARTS, PartName
from xadapt.data.records import Triple
from xadapt.languages.match import find_same
from xadapt.languages.tags import is_tag, normalise

NO_LANGUAGE = "und"
"""The language of names whose language is unknown."""


@dataclass(frozen=True, eq=False)
class KnowledgeGraph:
    """A knowledge graph.

    Attributes:
        name: Name of the source, without local folders.
        entities: The ids of all entities, each once.
        labels: The names of entities, by language (BCP-47), then by entity. The first name of an
            entity is its usual one.
        relations: The ids of all relations, each once.
        triples: Facts ``(n, 3)``: position of the head in ``entities``, of the relation in
            ``relations``, and of the tail in ``entities``.
        parts: The part of each fact ``(n,)``, a position in `PARTS`. Without official parts all are
            in train.
        relation_labels: The names of relations, by language, then by relation.
        descriptions: Texts about entities, by language, then by entity.
        attributes: The attributes of an entity as ``(attribute, value)``. The value is empty if the
            source has types of attributes alone.
        lang: The language of a monolingual graph.
    """

    name: str
    entities: tuple[str, ...]
    labels: Mapping[str, Names]
    relations: tuple[str, ...] = ()
    triples: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    parts: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    relation_labels: Mapping[str, Names] = field(default_factory=dict)
    descriptions: Mapping[str, Names] = field(default_factory=dict)
    attributes: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    lang: str | None = None

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The position of each entity."""
        return {entity: i for i, entity in enumerate(self.entities)}

    @cached_property
    def relation_index(self) -> Mapping[str, int]:
        """The position of each relation."""
        return {relation: i for i, relation in enumerate(self.relations)}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the names."""
        return tuple(self.labels)

    def language(self, tag: str) -> str:
        """Return the graph's own tag of a language: ``swh`` gives ``sw`` if the graph has ``sw``.

        Raises:
            UserError: If the graph has no name in that language.
        """
        if tag in self.labels:
            return tag
        found = find_same(tag, [own for own in self.labels if is_tag(own)])
        if found is None:
            raise UserError(
                f"the graph has no names in {normalise(tag)!r}",
                where=self.name,
                todo=f"It has {', '.join(self.labels) or 'no names'}",
            )
        return found

    def names(self, tag: str) -> Names:
        """Return the names in one language.

        Raises:
            UserError: If the graph has no name in that language.
        """
        return self.labels[self.language(tag)]

    def facts(self, part: PartName | None = None) -> NDArray[np.int32]:
        """Return the facts of a part or of all, ``(n, 3)``.

        Raises:
            UserError: If there is no such part.
        """
        return self.triples if part is None else self.triples[self.parts == part_number(part)]

    def records(self, part: PartName | None = None) -> Iterator[Triple]:
        """Yield the facts of a part or of all, by ids.

        Raises:
            UserError: If there is no such part.
        """
        for head, relation, tail in self.facts(part).tolist():
            yield Triple(
                self.entities[head],
                self.relations[relation],
                self.entities[tail],
                origin=self.name,
            )

    def in_language(self, tag: str) -> KnowledgeGraph:
        """Return the entities with a name in one language, and the facts among them.

        Ids stay. The relations stay too, so that their positions are the same in all languages.

        Raises:
            UserError: If the graph has no name in that language.
        """
        own = self.language(tag)
        if self.languages == (own,):
            return self
        return replace(self.in_languages([own]), name=f"{self.name}/{own}", lang=own)

    def in_languages(self, tags: Iterable[str]) -> KnowledgeGraph:
        """Return the entities with a name in one of several languages, with these names alone.

        Raises:
            UserError: If the graph has no name in one of them.
        """
        own = list(dict.fromkeys(self.language(tag) for tag in tags))
        kept = np.zeros(len(self.entities), dtype=bool)
        for tag in own:
            kept[self.labels[tag].owners] = True
        alone = replace(
            self,
            labels={tag: self.labels[tag] for tag in own},
            descriptions={tag: one for tag, one in self.descriptions.items() if tag in own},
        )
        return alone if kept.all() else alone.restricted(kept)

    def restricted(self, kept: NDArray[np.bool_]) -> KnowledgeGraph:
        """Return the graph of some of the entities, with the facts whose ends both stay.

        Args:
            kept: Whether each entity stays, ``(entities,)``.
        """
        entities = tuple(e for e, keep in zip(self.entities, kept.tolist(), strict=True) if keep)
        place = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        index = {entity: i for i, entity in enumerate(entities)}
        inside = kept[self.triples[:, 0]] & kept[self.triples[:, 2]]
        triples = self.triples[inside]
        triples[:, 0], triples[:, 2] = place[triples[:, 0]], place[triples[:, 2]]

        def moved(tables: Mapping[str, Names]) -> dict[str, Names]:
            made = {
                key: Names(
                    entities,
                    index,
                    ((int(place[i]), text) for i, text in names.rows() if place[i] >= 0),
                )
                for key, names in tables.items()
            }
            return {key: names for key, names in made.items() if len(names)}

        return replace(
            self,
            entities=entities,
            labels=moved(self.labels),
            descriptions=moved(self.descriptions),
            triples=triples,
            parts=self.parts[inside],
            attributes={e: rows for e, rows in self.attributes.items() if e in index},
        )

    def renamed(self, entities: Sequence[str]) -> KnowledgeGraph:
        """Return the graph with other ids, in the same order.

        Args:
            entities: The new ids, each once.
        """
        ids = tuple(entities)
        index = {entity: i for i, entity in enumerate(ids)}
        new = dict(zip(self.entities, ids, strict=True))
        return replace(
            self,
            entities=ids,
            labels={key: own.moved(ids, index) for key, own in self.labels.items()},
            descriptions={key: own.moved(ids, index) for key, own in self.descriptions.items()},
            attributes={new[entity]: rows for entity, rows in self.attributes.items()},
        )

    def without(self, excluded: Iterable[str]) -> KnowledgeGraph:
        """Return the graph without some entities and without the facts that have one.

        Raises:
            UserError: If the graph lacks one of them.
        """
        kept = np.ones(len(self.entities), dtype=bool)
        for entity in excluded:
            self.require(entity, "to exclude")
            kept[self.index[entity]] = False
        return self if kept.all() else self.restricted(kept)

    def require(self, entity: str, what: str, where: str = "") -> None:
        """Refuse an id that is no entity of the graph.

        Args:
            entity: The id.
            what: What it is for, such as ``to exclude``.
            where: Its place.

        Raises:
            UserError: If there is no such entity.
        """
        if entity not in self.index:
            raise UserError(
                f"{self.name} has no entity {entity[:80]!r} {what}",
                where=where,
                todo="Check that the links belong to this graph",
            )

    def joined(self, pairs: Iterable[tuple[str, str]]) -> KnowledgeGraph:
        """Make linked entities one, which has the names of all of them.

        It keeps the id of its first member in the order of the graph. A fact that several members
        have stays once in each part.

        Args:
            pairs: Links between entities of the graph: those of training alone.

        Raises:
            UserError: If a link leads to nothing.
        """
        links = list(pairs)
        for link in links:
            for entity in link:
                self.require(entity, f"of the link {link[0]} - {link[1]}")
        if not links:
            return self
        number = components(self.index, links)
        first = np.full(int(number.max()) + 1, len(number), dtype=np.int64)
        np.minimum.at(first, number, np.arange(len(number)))
        leaders = np.unique(first[number])
        place = np.searchsorted(leaders, first[number]).astype(np.int32)
        entities = tuple(self.entities[i] for i in leaders)
        index = {entity: i for i, entity in enumerate(entities)}

        def moved(tables: Mapping[str, Names]) -> dict[str, Names]:
            return {
                lang: Names(entities, index, ((int(place[i]), text) for i, text in names.rows()))
                for lang, names in tables.items()
            }

        triples = self.triples.copy()
        triples[:, 0], triples[:, 2] = place[triples[:, 0]], place[triples[:, 2]]
        whole = np.column_stack((triples, self.parts.astype(np.int32)))
        kept = np.sort(np.unique(whole, axis=0, return_index=True)[1])
        attributes: dict[str, tuple[tuple[str, str], ...]] = {}
        for entity, own in self.attributes.items():
            leader = entities[place[self.index[entity]]]
            attributes[leader] = tuple(dict.fromkeys((*attributes.get(leader, ()), *own)))
        return replace(
            self,
            entities=entities,
            labels=moved(self.labels),
            descriptions=moved(self.descriptions),
            triples=triples[kept],
            parts=self.parts[kept],
            attributes=attributes,
        )

    def counts(self) -> dict[str, Any]:
        """Return numbers of entities, relations, facts by part, and names by language."""
        return {
            "entities": len(self.entities),
            "relations": len(self.relations),
            "facts": {part: int((self.parts == i).sum()) for i, part in enumerate(PARTS)},
            "names": {lang: len(names.owners) for lang, names in self.labels.items()},
            "named": {lang: len(names) for lang, names in self.labels.items()},
            "relation names": {lang: len(own) for lang, own in self.relation_labels.items()},
            "descriptions": {lang: len(own) for lang, own in self.descriptions.items()},
            "attributes": len(self.attributes),
        }


def part_number(part: str) -> int:
    """Return the position of a part in `PARTS`.

    Raises:
        UserError: If there is no such part.
    """
    if part not in PARTS:
        raise UserError(unknown("part", part, list(PARTS)))
    return PARTS.index(part)  # type: ignore[arg-type]


def names_of(
    entities: Sequence[str], tables: Mapping[str, Sequence[tuple[int, str]]]
) -> dict[str, Names]:
    """Make names by language of rows ``(position of the entity, name)``."""
    index = {entity: i for i, entity in enumerate(entities)}
    return {lang: Names(entities, index, rows) for lang, rows in tables.items() if rows}
