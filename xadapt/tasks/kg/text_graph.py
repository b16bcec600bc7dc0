"""A graph of rows, texts and their terms, for matching by random walks.

Terms are runs of one to three words. The rows make the terms; a text is joined to the terms that
are there. A column is joined to the terms of its cells. Words that many rows have are left out, in
any language; the authors have a list of stop words.

Source: Ahmadi et al. 2022, https://arxiv.org/abs/2112.08776, sections 3 and 4;
github.com/naserahmadi/TDmatch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.readers.match_items import Item
from xadapt.functional.simple_words import simple_words

GRAMS = 3
COMMON = 0.1
"""Share of the rows above which a word is left out."""
LEAST_ROWS = 50
"""Rows from which on common words are left out."""


@dataclass(frozen=True)
class TextGraph:
    """A graph without direction.

    Attributes:
        edges: The neighbours of each node ``(nodes, nodes)``. First come the rows, then the texts,
            then the other nodes: columns, terms and entities.
        rows: Number of rows.
        texts: Number of texts.
        terms: The node of each term.
    """

    edges: csr_matrix
    rows: int
    texts: int
    terms: dict[str, int]

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return int(self.edges.shape[0])

    @property
    def items(self) -> int:
        """The number of rows and texts."""
        return self.rows + self.texts


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without marks."""
    return [word.lower() for word in simple_words(text) if any(map(str.isalnum, word))]


def build_graph(rows: Sequence[Item], texts: Sequence[Item], common: float = COMMON) -> TextGraph:
    """Build the graph.

    Args:
        rows: The rows, whose terms are nodes.
        texts: The texts.
        common: Share of the rows above which a word is left out.

    Raises:
        UserError: If a side is empty, or no row has a term.
    """
    if not rows or not texts:
        raise UserError("there must be rows and texts")
    counts = Counter(chain.from_iterable({*words_of(item.text)} for item in rows))
    most = max(common * len(rows), 1) if len(rows) >= LEAST_ROWS else len(rows)
    stop = {word for word, count in counts.items() if count > most}
    ends: list[tuple[int, int]] = []
    terms: dict[str, int] = {}
    columns: dict[str, int] = {}
    number = len(rows) + len(texts)
    for place, row in enumerate(rows):
        for name, value in row.fields:
            if name and name not in columns:
                columns[name] = number
                number += 1
            for term in dict.fromkeys(_terms(value, stop)):
                if term not in terms:
                    terms[term] = number
                    number += 1
                ends.append((place, terms[term]))
                if name:
                    ends.append((columns[name], terms[term]))
    if not terms:
        raise UserError("no row has a word to match by")
    for place, text in enumerate(texts, len(rows)):
        own = dict.fromkeys(chain.from_iterable(_terms(v, stop) for _, v in text.fields))
        ends += [(place, terms[term]) for term in own if term in terms]
    return TextGraph(_joined(ends, number), len(rows), len(texts), terms)


def expand(graph: TextGraph, knowledge: KnowledgeGraph) -> TextGraph:
    """Join terms that name one entity, in any languages, and terms whose entities share a fact.

    Nodes of entities that join nothing are left out, as are terms with one neighbour.

    Args:
        graph: The graph.
        knowledge: A knowledge graph with names.
    """
    named: dict[int, set[int]] = {}
    for names in knowledge.labels.values():
        for position, name in names.rows():
            node = graph.terms.get(" ".join(words_of(name)))
            if node is not None:
                named.setdefault(position, set()).add(node)
    linked = {
        (head, tail)
        for head, _, tail in knowledge.triples.tolist()
        if head in named and tail in named and head != tail
    }
    used = {one for one, own in named.items() if len(own) > 1} | set(chain(*linked))
    place = {entity: graph.nodes + i for i, entity in enumerate(sorted(used))}
    ends = [(place[one], node) for one in sorted(used) for node in sorted(named[one])]
    ends += [(place[head], place[tail]) for head, tail in sorted(linked)]
    old = graph.edges.tocoo()
    whole = [*zip(old.row.tolist(), old.col.tolist(), strict=True), *ends]
    joined = _joined(whole, graph.nodes + len(place))
    return pruned(TextGraph(joined, graph.rows, graph.texts, graph.terms))


def pruned(graph: TextGraph) -> TextGraph:
    """Leave out the edges of nodes with one neighbour that are neither row nor text.

    Such a node is on no way between two items. The nodes stay, without edges.

    Args:
        graph: The graph.
    """
    edges = graph.edges.tocoo()
    degrees = np.diff(graph.edges.indptr)
    kept = (degrees > 1) | (np.arange(graph.nodes) < graph.items)
    inside = kept[edges.row] & kept[edges.col]
    ends = np.stack([edges.row[inside], edges.col[inside]], axis=1)
    return TextGraph(_joined(ends, graph.nodes), graph.rows, graph.texts, graph.terms)


def compress(graph: TextGraph, share: float, seed: int = 0) -> TextGraph:
    """Keep the edges that are on a shortest path between drawn pairs of a row and a text.

    Args:
        graph: The graph.
        share: Pairs to draw, as a share of the nodes.
        seed: Seed of the drawing.
    """
    draw = np.random.default_rng(seed)
    count = int(share * graph.nodes)
    pairs = np.stack(
        [
            draw.integers(0, graph.rows, count),
            draw.integers(graph.rows, graph.items, count),
        ],
        axis=1,
    )
    edges = graph.edges.tocoo()
    used = np.zeros(len(edges.row), dtype=bool)
    for text in np.unique(pairs[:, 1]).tolist():
        own = np.unique(pairs[pairs[:, 1] == text, 0])
        from_text = _distances(graph.edges, text)
        for row in own.tolist():
            if from_text[row] < 0:
                continue
            from_row = _distances(graph.edges, row)
            both = (from_text[edges.row] >= 0) & (from_row[edges.col] >= 0)
            used |= both & (from_text[edges.row] + 1 + from_row[edges.col] == from_text[row])
    ends = np.stack([edges.row[used], edges.col[used]], axis=1)
    return TextGraph(_joined(ends, graph.nodes), graph.rows, graph.texts, graph.terms)


def _distances(edges: csr_matrix, start: int) -> NDArray[np.int32]:
    """Return the number of steps from a node to each other one; -1 where there is no way."""
    found = np.full(edges.shape[0], -1, dtype=np.int32)
    found[start] = 0
    here, step = np.array([start]), 0
    while len(here):
        step += 1
        around = np.unique(edges[here].indices)
        here = around[found[around] < 0]
        found[here] = step
    return found


def _terms(text: str, stop: set[str]) -> Iterator[str]:
    words = [word for word in words_of(text) if word not in stop]
    for size in range(1, GRAMS + 1):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def _joined(ends: Sequence[tuple[int, int]] | NDArray[np.integer], nodes: int) -> csr_matrix:
    """Return the neighbours of each node; an edge goes both ways and counts once."""
    pairs = np.asarray(ends, dtype=np.int64).reshape(-1, 2)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    made = csr_matrix(
        (np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), shape=(nodes, nodes)
    )
    made.sum_duplicates()
    made.sort_indices()
    return made
