"""Read descriptions of a graph's entities with the names of the entities.

The source is a knowledge graph with descriptions. For other graphs, a text can be made of facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_rows import GraphRows, NamedGraphRecords
from xadapt.data.readers.notes import Notes, name_of, noted
from xadapt.data.records import DescribedEntity


@dataclass(frozen=True)
class EntityDescriptions(NamedGraphRecords):
    """Reader of texts about entities in one language.

    Attributes:
        pair_with: Languages of the names beside the language itself; ``all`` means every language
            of the graph.
        from_facts: Largest number of facts of which a text is made for an entity without a
            description: ``relation: tail; relation: tail``. 0 makes none.
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`.
    """

    from_facts: Annotated[int, Field(ge=0)] = 0

    format: ClassVar[str] = "entity_descriptions"
    gives: ClassVar[type] = DescribedEntity

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[DescribedEntity]:
        """Stream the descriptions.

        Args:
            source: The graph.
            lang: Language of the texts.
            notes: Where excluded entities are counted.

        Raises:
            UserError: If the graph can't be read or lacks the language, or there is no description.
        """
        found = noted(notes)
        graph = self.rows(source, found)
        langs = graph.chosen(lang, self.pair_with, source)
        given = graph.descriptions.get(langs[0], {})
        told = self._of_facts(graph, langs)
        made = 0
        for entity in graph.entities:
            names = graph.of(entity, langs)
            texts: Sequence[str] = given.get(entity) or told.get(entity) or ()
            for text in texts if names else ():
                made += 1
                yield DescribedEntity(
                    entity, text, names, lang, origin=f"{name_of(source)}:{entity}"
                )
        if not made:
            raise UserError(
                f"the graph has no description in {lang} of an entity with a name",
                where=source,
                todo="Make texts of facts: --set data.train.options.from_facts=5",
            )

    def _of_facts(self, graph: GraphRows, langs: list[str]) -> dict[str, list[str]]:
        facts: dict[str, list[str]] = {}
        for head, relation, tail in graph.facts if self.from_facts else ():
            tails = graph.of(tail, langs[:1])
            words = graph.of(relation, langs, "relations") or graph.of(
                relation, graph.relations, "relations"
            )
            own = facts.setdefault(head, [])
            if tails and words and len(own) < self.from_facts:
                own.append(f"{words[0][1]}: {tails[0][1]}")
        return {entity: ["; ".join(own) + "."] for entity, own in facts.items() if own}


Part = EntityDescriptions
