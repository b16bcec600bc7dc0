"""Entities of a graph with all their names, for the readers whose records hold names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr import parse_source
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.cldr_split import PARTS
from xadapt.data.readers.graph_records import GraphRecords
from xadapt.data.readers.notes import Notes
from xadapt.languages.match import find_same

Name = tuple[str, str]
Names = Mapping[str, Sequence[str]]
ALL = "all"


@dataclass(frozen=True)
class GraphRows:
    """The part of a graph that a module is trained on.

    Attributes:
        entities: The ids, in order.
        names: The names by language, then by entity.
        facts: Training facts: head, relation, tail.
        relations: The names of relations by language, then by relation.
        descriptions: Texts about entities, by language, then by entity.
    """

    entities: tuple[str, ...]
    names: Mapping[str, Names]
    facts: tuple[tuple[str, str, str], ...]
    relations: Mapping[str, Names]
    descriptions: Mapping[str, Names]

    def language(self, tag: str, source: str) -> str:
        """Return the graph's own tag of a language.

        Raises:
            UserError: If the graph has no names in it.
        """
        found = find_same(tag, self.names)
        if found is None:
            known = ", ".join(list(self.names)[:20]) + (", ..." if len(self.names) > 20 else "")
            raise UserError(
                f"the graph has no names in {tag!r}", where=source, todo=f"It has {known}"
            )
        return found

    def chosen(self, tag: str, others: Sequence[str], source: str) -> list[str]:
        """Return the graph's tags of a language and of others, each once.

        Args:
            tag: The language.
            others: Further languages; ``all`` means every language of the graph. Those that the
                graph lacks are left out.
            source: The source, for errors.

        Raises:
            UserError: If the graph has no names in the language.
        """
        own = self.language(tag, source)
        if ALL in others:
            return list(dict.fromkeys([own, *self.names]))
        found = (find_same(other, self.names) for other in others)
        return list(dict.fromkeys([own, *(one for one in found if one is not None)]))

    def of(self, entity: str, langs: Iterable[str], table: str = "names") -> tuple[Name, ...]:
        """Return the names of an entity in some languages.

        Args:
            entity: The entity, or a relation.
            langs: The languages.
            table: ``names`` or ``relations``.
        """
        tables: Mapping[str, Names] = getattr(self, table)
        return tuple(
            (lang, name) for lang in langs for name in tables.get(lang, {}).get(entity, ())
        )


@dataclass(frozen=True)
class NamedGraphRecords(GraphRecords):
    """The options of a reader whose records hold names of entities.

    Of the built-in graph, ``cldr`` means the entities of its training part alone; ``cldr:dev``,
    ``cldr:test`` and ``cldr:all`` mean other parts.

    Attributes:
        pair_with: Further languages of the names; ``all`` means every language of the graph.
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`.
    """

    pair_with: tuple[str, ...] = ("en",)

    def rows(self, source: str, notes: Notes) -> GraphRows:
        """Read the part of a graph that records are made of.

        Raises:
            UserError: If the graph or the links can't be read, or a link leads to nothing.
        """
        if is_part_of_cldr(source) and not self.exclude_links:
            return read_cldr(source)
        return rows_of(self.graph(source, notes))


def named_rows(source: str, notes: Notes) -> GraphRows:
    """Read a graph with its training links joined, such as `NamedGraphRecords` without options.

    Raises:
        UserError: If the graph can't be read.
    """
    return NamedGraphRecords().rows(source, notes)


def is_part_of_cldr(source: str) -> bool:
    """Whether a source means a part of the built-in graph, in all its languages."""
    first, _, part = source.partition(":")
    return first == "cldr" and part in ("", "all", *PARTS)


@lru_cache(maxsize=1)
def read_cldr(source: str) -> GraphRows:
    """Read a part of the built-in graph: no entity of another part occurs in it."""
    _, part = parse_source(source)
    graph = build()
    kept = [entity for entity in graph.entities if part in (None, graph.split[entity])]
    names = {
        lang: {entity: (own[entity],) for entity in kept if entity in own}
        for lang, own in graph.labels.items()
    }
    facts = tuple((t.head, t.relation, t.tail) for t in graph.facts(part))
    relations = {fact[1]: (fact[1].replace("_", " "),) for fact in facts}
    return GraphRows(tuple(kept), names, facts, {"en": relations}, {})


def rows_of(graph: Any) -> GraphRows:
    """Return the names, training facts and descriptions of a `KnowledgeGraph`."""
    facts = tuple(
        (graph.entities[head], graph.relations[relation], graph.entities[tail])
        for head, relation, tail in graph.facts("train").tolist()
    )
    return GraphRows(
        graph.entities,
        _texts(graph.labels, graph.entities),
        facts,
        _texts(graph.relation_labels, graph.relations),
        _texts(graph.descriptions, graph.entities),
    )


def _texts(tables: Mapping[str, Any], owners: Sequence[str]) -> dict[str, Names]:
    found: dict[str, Names] = {}
    for lang, own in tables.items():
        by_owner: dict[str, list[str]] = {}
        for position, text in own.rows():
            by_owner.setdefault(owners[position], []).append(text)
        found[lang] = by_owner
    return found
