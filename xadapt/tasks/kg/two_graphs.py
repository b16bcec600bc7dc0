"""Two graphs side by side, as numbers: what an encoder of their structure reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links, require_known

Pairs = NDArray[np.int64]
"""Linked entities ``(n, 2)``: the position in the left graph and that in the right graph."""


@dataclass(frozen=True)
class TwoGraphs:
    """The facts of two graphs in one space of numbers.

    Attributes:
        left: Number of entities of the left graph. They have the numbers from 0.
        right: Number of entities of the right graph. They follow.
        triples: Facts ``(n, 3)``: head, relation, tail.
        relations: Number of relations. Relations of both graphs with one id are one relation.
    """

    left: int
    right: int
    triples: NDArray[np.int64]
    relations: int

    @classmethod
    def of(cls, left: KnowledgeGraph, right: KnowledgeGraph) -> TwoGraphs:
        """Put the facts of two graphs side by side.

        Raises:
            UserError: If a graph has no facts, or both have the same facts, which would give every
                answer away.
        """
        for graph in (left, right):
            if not len(graph.triples):
                raise UserError(
                    "this graph has no facts, so it has no structure",
                    where=graph.name,
                    todo="Leave out --structure",
                )
        if left.entities == right.entities and np.array_equal(left.triples, right.triples):
            raise UserError(
                f"{left.name} and {right.name} have the same facts, so that structure would give "
                "every answer away",
                todo="Align the names alone: leave out --structure",
            )
        number: dict[str, int] = {}
        parts = []
        for graph, start in ((left, 0), (right, len(left.entities))):
            own = np.array([number.setdefault(r, len(number)) for r in graph.relations])
            moved = graph.triples.astype(np.int64)
            moved[:, 1] = own[moved[:, 1]]
            moved[:, [0, 2]] += start
            parts.append(moved)
        return cls(len(left.entities), len(right.entities), np.concatenate(parts), len(number))

    @property
    def entities(self) -> int:
        """The number of entities of both graphs."""
        return self.left + self.right


def positions(links: Links, left: KnowledgeGraph, right: KnowledgeGraph) -> Pairs:
    """Return the positions of linked entities, each pair once.

    Raises:
        UserError: If a link leads to nothing.
    """
    require_known(links, left, right)
    found = {(left.index[a], right.index[b]): None for a, b in links.pairs}
    return np.array(list(found), dtype=np.int64).reshape(-1, 2)


def digest(ids: Sequence[str], triples: NDArray[np.integer]) -> str:
    """Return the SHA-256 of the ids of a graph, in order, and of its facts as positions."""
    found = hashlib.sha256("\n".join(ids).encode("utf-8", "surrogatepass"))
    found.update(b"\0")
    found.update(np.ascontiguousarray(triples, dtype="<i8").tobytes())
    return found.hexdigest()


def digest_of(graph: KnowledgeGraph) -> str:
    """Return the SHA-256 of the entities, relations and facts of a graph with their parts."""
    whole = np.concatenate([graph.triples, graph.parts[:, None].astype(np.int32)], axis=1)
    return digest((*graph.entities, "", *graph.relations), whole)
