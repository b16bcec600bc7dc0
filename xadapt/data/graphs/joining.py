"""Put graphs side by side, and compare their facts and names under links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links, require_known
from xadapt.data.graphs.names import Names


def united(name: str, graphs: Mapping[str, KnowledgeGraph]) -> KnowledgeGraph:
    """Put graphs side by side. No entity of one graph is an entity of another.

    The ids get a prefix: the entity ``5`` of the graph ``ja`` becomes ``ja:5``. Relations with one
    id are one relation.

    Args:
        name: Name of the new graph.
        graphs: The graphs by their prefix.
    """
    entities = tuple(f"{key}:{e}" for key, graph in graphs.items() for e in graph.entities)
    relations = tuple(dict.fromkeys(r for graph in graphs.values() for r in graph.relations))
    place = {relation: i for i, relation in enumerate(relations)}
    triples, parts, start = [], [], 0
    starts = {}
    for key, graph in graphs.items():
        moved = graph.triples.copy()
        moved[:, [0, 2]] += start
        own = np.array([place[r] for r in graph.relations] or [0], dtype=np.int32)
        moved[:, 1] = own[moved[:, 1]]
        triples.append(moved)
        parts.append(graph.parts)
        starts[key] = start
        start += len(graph.entities)
    index = {entity: i for i, entity in enumerate(entities)}

    def tables(field: str) -> dict[str, Names]:
        langs = dict.fromkeys(lang for g in graphs.values() for lang in getattr(g, field))
        return {
            lang: Names(
                entities,
                index,
                (
                    (starts[key] + i, text)
                    for key, graph in graphs.items()
                    if lang in getattr(graph, field)
                    for i, text in getattr(graph, field)[lang].rows()
                ),
            )
            for lang in langs
        }

    named: dict[str, list[tuple[int, str]]] = {}
    for graph in graphs.values():
        for lang, names in graph.relation_labels.items():
            named.setdefault(lang, []).extend(
                (place[graph.relations[i]], text) for i, text in names.rows()
            )
    return KnowledgeGraph(
        name,
        entities,
        tables("labels"),
        relations,
        np.concatenate(triples),
        np.concatenate(parts),
        {lang: Names(relations, place, rows) for lang, rows in named.items()},
        tables("descriptions"),
        {f"{key}:{e}": own for key, g in graphs.items() for e, own in g.attributes.items()},
    )


def side_by_side(name: str, left: KnowledgeGraph, right: KnowledgeGraph) -> KnowledgeGraph:
    """Put two graphs with one space of ids side by side. Ids stay.

    Raises:
        UserError: If an id is in both graphs.
    """
    again = next((entity for entity in right.entities if entity in left.index), None)
    if again is not None:
        raise UserError(
            f"the id {again[:80]!r} is in both graphs", where=name, todo="Ids must differ"
        )
    both = united(name, {"1": left, "2": right})
    return both.renamed((*left.entities, *right.entities))


def prefixed(links: Links, left: str, right: str) -> Links:
    """Return links between graphs as links of the graph that `united` makes of them."""
    return replace(links, pairs=tuple((f"{left}:{a}", f"{right}:{b}") for a, b in links.pairs))


def copied_facts(graph: KnowledgeGraph, links: Links) -> NDArray[np.bool_]:
    """Return which test facts are training facts of another language under links, ``(n,)``.

    A test fact is copied if both its ends have links, and the linked entities stand in the same
    relation in a training fact. Such a fact needs no reasoning: report it apart.

    Args:
        graph: The graph of all languages, such as `united` gives it.
        links: All links between its entities.

    Raises:
        UserError: If a link leads to nothing.
    """
    require_known(links, graph)
    twins: dict[int, list[int]] = {}
    for a, b in links.pairs:
        left, right = graph.index[a], graph.index[b]
        twins.setdefault(left, []).append(right)
        twins.setdefault(right, []).append(left)
    known = set(map(tuple, graph.facts("train").tolist()))

    def is_copied(head: int, relation: int, tail: int) -> bool:
        images = ((h, relation, t) for h in twins.get(head, ()) for t in twins.get(tail, ()))
        return any(image in known for image in images)

    return np.array([is_copied(*fact) for fact in graph.facts("test").tolist()], dtype=bool)


def pairs_of_names(graph: KnowledgeGraph, left: str, right: str) -> Iterator[tuple[str, str, str]]:
    """Yield entities with a name in both languages: the id, and the first name of each.

    Raises:
        UserError: If the graph has no name in one of the languages.
    """
    own, other = graph.names(left), graph.names(right)
    positions, texts = own.first()
    for position, text in zip(positions.tolist(), texts, strict=True):
        found = other.at(position)
        if found:
            yield graph.entities[position], text, found[0]
