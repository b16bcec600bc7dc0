"""Read facts of a knowledge graph, as ids: ``kg:DIR``, ``wikidata:DIR``, ``dbp5l:DIR/ja`` ..."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_records import GraphRecords
from xadapt.data.readers.notes import Notes, noted
from xadapt.data.records import Triple


@dataclass(frozen=True)
class GraphFacts(GraphRecords):
    """Reader of facts, as `Triple`. Joined entities have one id, as in `graph_labels`.

    Attributes:
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`. Facts with an excluded entity are left out.
        part: The part of the facts, or ``all``.
        named: Whether only facts are given whose entities have names in the language.
    """

    part: Literal["train", "dev", "test", "all"] = "train"
    named: bool = True

    format: ClassVar[str] = "graph_facts"
    gives: ClassVar[type] = Triple

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[Triple]:
        """Yield the facts of the part, in the order of the source.

        Args:
            source: The graph.
            lang: The language.
            notes: Where the numbers of joined and excluded entities are reported.

        Raises:
            UserError: If the graph can't be read, has no name in the language, or there is no fact.
        """
        graph = self.graph(source, noted(notes))
        if self.named:
            graph = graph.in_language(lang)
        part = None if self.part == "all" else self.part
        found = False
        for fact in graph.records(part):
            found = True
            yield fact
        if not found:
            raise UserError(
                f"the graph has no fact in {self.part}", where=source, todo="Name another part"
            )


Part = GraphFacts
