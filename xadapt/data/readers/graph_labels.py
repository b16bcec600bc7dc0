"""Read names of entities from a knowledge graph: ``kg:DIR``, ``wikidata:DIR``, ``dbp5l:DIR`` ..."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_records import GraphRecords
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.records import EntityLabel
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

ALL = "all"


@dataclass(frozen=True)
class GraphLabels(GraphRecords):
    """Reader of names of entities, as `EntityLabel`. Joined entities have one id.

    Attributes:
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`.
        languages: Further languages whose names are given; ``all`` in the list means all.
        of: The names of ``entities``, of ``relations``, or of both. A relation without names in any
            of the languages has its names in English.
        several: Whether all names of an entity are given, or the usual one alone.
    """

    languages: tuple[str, ...] = ()
    of: Literal["entities", "relations", "both"] = "entities"
    several: bool = True

    format: ClassVar[str] = "graph_labels"
    gives: ClassVar[type] = EntityLabel

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[EntityLabel]:
        """Yield the names, by language, ordered as in the graph.

        Args:
            source: The graph.
            lang: The first language.
            notes: Where the numbers of joined and excluded entities are reported.

        Raises:
            UserError: If the graph can't be read, or has no name in a language.
        """
        graph = self.graph(source, noted(notes))
        named = [lang, *self.languages]
        every = {normalise(one) if one != ALL else ALL: None for one in named}
        langs = [*dict.fromkeys(graph.labels)] if ALL in every else [*every]
        found = False
        for one in langs:
            tables = []
            if self.of != "relations":
                tables.append((graph.entities, graph.names(one)))
            own = find_same(one, list(graph.relation_labels)) if self.of != "entities" else None
            if self.of != "entities" and own is None and one == langs[0]:
                own = find_same("en", list(graph.relation_labels))
            if own is not None:
                tables.append((graph.relations, graph.relation_labels[own]))
            for ids, names in tables:
                tag = own if own is not None and ids is graph.relations else one
                last = -1
                for position, text in names.rows():
                    if self.several or position != last:
                        found = True
                        yield EntityLabel(ids[position], text, tag, origin=f"{source}:{tag}")
                    last = position
        if not found:
            raise UserError("there are no such names", where=source, todo="Name other languages")


Part = GraphLabels
