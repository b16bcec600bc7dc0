"""The built-in graph of Unicode CLDR: ``cldr`` in all languages, ``cldr:sw,en`` in some.

Names are those of `xadapt.data.readers.cldr_graph`. A fact is in the part that the graph gives it.
A link leads from an entity to itself, with the part of the entity: both sides of an alignment are
one graph in two languages.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from xadapt.data.graphs.graph import PARTS, KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.names import Names
from xadapt.data.readers.cldr_graph import Graph, build


class CldrGraph:
    """Reader of the built-in graph."""

    layout: ClassVar[str] = "Write cldr, or cldr:sw,en for some languages"

    def read(self, place: str) -> KnowledgeGraph:
        """Make the graph.

        Raises:
            UserError: If CLDR has no or too few names in a language.
        """
        graph = _built(place)
        index = {entity: i for i, entity in enumerate(graph.entities)}
        relations = tuple(dict.fromkeys(sorted(fact.relation for fact in graph.triples)))
        place_of = {relation: i for i, relation in enumerate(relations)}
        triples = [(index[t.head], place_of[t.relation], index[t.tail]) for t in graph.triples]
        parts = [PARTS.index(graph.fact_part(fact)) for fact in graph.triples]
        spoken = tuple(relation.replace("_", " ") for relation in relations)
        return KnowledgeGraph(
            "cldr",
            graph.entities,
            {
                lang: Names(graph.entities, index, ((index[e], text) for e, text in own.items()))
                for lang, own in graph.labels.items()
            },
            relations,
            np.array(triples, dtype=np.int32).reshape(-1, 3),
            np.array(parts, dtype=np.int8),
            {"en": Names(relations, place_of, enumerate(spoken))},
        )

    def has_links(self, place: str) -> bool:
        """Return False: one entity has the names of all languages, and nothing is to be joined."""
        return False

    def links(self, place: str) -> Links:
        """Return a link from each entity to itself.

        Raises:
            UserError: If CLDR has no or too few names in a language.
        """
        graph = _built(place)
        parts = [PARTS.index(graph.split[entity]) for entity in graph.entities]
        pairs = tuple((entity, entity) for entity in graph.entities)
        return Links("cldr", pairs, np.array(parts, dtype=np.int8))


def _built(place: str) -> Graph:
    return build(place.split(",") if place else None)


Part = CldrGraph
