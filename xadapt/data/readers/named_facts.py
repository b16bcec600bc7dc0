"""Read the training facts of a graph with the names of head, relation and tail.

The source is a knowledge graph: ``cldr``, ``kg:DIR``, ``dbp5l:DIR/ja`` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_rows import NamedGraphRecords
from xadapt.data.readers.notes import Notes, name_of, noted
from xadapt.data.records import NamedTriple


@dataclass(frozen=True)
class NamedFacts(NamedGraphRecords):
    """Reader of facts whose head has a name in the language.

    Attributes:
        pair_with: Further languages of the names of relation and tail; ``all`` means every language
            of the graph. A relation without a name in these languages has all its names.
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`.
    """

    format: ClassVar[str] = "named_facts"
    gives: ClassVar[type] = NamedTriple

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[NamedTriple]:
        """Stream the facts.

        Args:
            source: The graph.
            lang: Language of the heads.
            notes: Where facts without names and excluded entities are counted.

        Raises:
            UserError: If the graph can't be read or lacks the language, or no fact has names.
        """
        found = noted(notes)
        graph = self.rows(source, found)
        langs = graph.chosen(lang, self.pair_with, source)
        made = nameless = 0
        for head, relation, tail in graph.facts:
            heads, tails = graph.of(head, langs[:1]), graph.of(tail, langs)
            relations = graph.of(relation, langs, "relations") or graph.of(
                relation, graph.relations, "relations"
            )
            if not (heads and tails and relations):
                nameless += 1
                continue
            made += 1
            yield NamedTriple(
                head, relation, tail, heads, relations, tails, lang,
                origin=f"{name_of(source)}:{head} {relation} {tail}",
            )  # fmt: skip
        if not made:
            raise UserError(
                f"no fact has names in {lang}",
                where=source,
                todo="Check that the graph has facts and names of relations",
            )
        if nameless:
            told = f"{nameless:,} facts without names in {lang} are left out"
            found.add(source, told, usual=True)


Part = NamedFacts
