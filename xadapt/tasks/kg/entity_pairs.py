"""Names of the same entity in two languages, from any graph with links or with names in both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from xadapt.core.errors import UserError
from xadapt.data.graphs.components import components
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.readers.graph_source import reader_of
from xadapt.data.records import LabelPair


def entity_pairs(
    source: str, lang: str, pivot: str, pool: str
) -> tuple[list[LabelPair], list[LabelPair]]:
    """Read the entities of test links with both names, and those that fill the pool.

    Without links, the test entities are those with a name in both languages.

    Args:
        source: The source of the graph, such as ``dbp15k:DIR``.
        lang: Language of the names.
        pivot: The other language.
        pool: ``all`` fills the pool with all other names of both languages, ``test`` does not.

    Raises:
        UserError: If the graph lacks a language, or no test link has both names.
    """
    graph = open_graph(source)
    own, other = graph.language(lang), graph.language(pivot)
    reader, place = reader_of(source)
    links = open_links(source) if reader.has_links(place) else None
    pairs: list[tuple[str, str]] = []
    if links is not None:
        pairs = list((links.of("test") if links.split else links).pairs)
    names = {tag: _first_names(graph, tag) for tag in (own, other)}
    group = components(graph.index, pairs) if pairs else np.arange(len(graph.entities))
    code = group.tolist()
    if not pairs or all(a == b for a, b in pairs):
        chosen = {graph.index[a] for a, _ in pairs} if pairs else range(len(graph.entities))
        both = [(i, i) for i in sorted(chosen) if i in names[own] and i in names[other]]
    else:
        both = list(_oriented(graph, pairs, names[own], names[other]))
    if not both:
        raise UserError(
            f"no test link is between names in {own} and {other}",
            where=source,
            todo="Name the languages of the links: --lang and --pivot",
        )
    rows = [LabelPair(str(code[a]), names[own][a], names[other][b], own, other) for a, b in both]
    if pool != "all":
        return rows, []
    others = [LabelPair(str(code[i]), name, "", own, other) for i, name in names[own].items()]
    others += [LabelPair(str(code[i]), "", name, own, other) for i, name in names[other].items()]
    return rows, others


def _oriented(
    graph: KnowledgeGraph,
    pairs: Iterable[tuple[str, str]],
    own: Mapping[int, str],
    other: Mapping[int, str],
) -> Iterator[tuple[int, int]]:
    """Yield the positions of linked entities, that with a name in the language first."""
    for a, b in pairs:
        left, right = graph.index.get(a, -1), graph.index.get(b, -1)
        for one, two in ((left, right), (right, left)):
            if one in own and two in other:
                yield one, two
                break


def _first_names(graph: KnowledgeGraph, tag: str) -> dict[int, str]:
    positions, texts = graph.labels[tag].first()
    return dict(zip(positions.tolist(), texts, strict=True))
