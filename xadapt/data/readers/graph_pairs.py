"""Read names of one entity in two languages from a knowledge graph, as parallel text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_records import GraphRecords
from xadapt.data.readers.graph_source import is_graph
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair


@dataclass(frozen=True)
class GraphPairs(GraphRecords):
    """Reader of pairs of names, as `ParallelPair`.

    Attributes:
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`.
        several: Whether each name is paired with the usual name of the other side, or the usual
            names alone are paired.
    """

    several: bool = False

    format: ClassVar[str] = "graph_pairs"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source names a layout of graphs, other than ``cldr``."""
        return ":" in source and not source.startswith("cldr:") and is_graph(source)

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Yield the pairs, ordered as in the graph.

        Args:
            source: The graph.
            request: The languages.
            notes: Where the numbers of joined and excluded entities are reported.

        Raises:
            UserError: If the graph can't be read, or no entity has names in both languages.
        """
        graph = self.graph(source, noted(notes))
        left, right = graph.names(request.lang), graph.names(request.pivot_lang)
        last, found = -1, False
        for position, text in left.rows():
            first, last = position != last, position
            others = right.at(position) if first or self.several else ()
            for other in others[: None if self.several and first else 1]:
                found = True
                yield ParallelPair(
                    text,
                    other,
                    request.lang,
                    request.pivot_lang,
                    origin=f"{source}:{graph.entities[position]}",
                )
        if not found:
            raise UserError(
                f"no entity has names in {request.lang} and in {request.pivot_lang}",
                where=source,
                todo="Give links of training, by the option links",
            )


Part = GraphPairs
