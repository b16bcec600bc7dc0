"""Read the names of a graph's entities, each with the other names that it may be paired with.

The source is a knowledge graph: ``cldr``, ``kg:DIR``, ``dbp5l:DIR`` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Literal

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.readers.graph_rows import NamedGraphRecords
from xadapt.data.readers.notes import Notes, name_of, noted
from xadapt.data.records import EntityNames

PIVOT = "en"


@dataclass(frozen=True)
class EntityNamesReader(NamedGraphRecords):
    """Reader of names in one language, with names of the same entity in others.

    Two names that are equal up to case, width and punctuation are no pair. An entity without
    another name gives no record.

    Attributes:
        pair_with: The languages of the other names; ``all`` means every language of the graph.
            Other names in the language itself are taken too.
        by: ``entities`` gives a record for each name; ``triples`` gives one for both ends of each
            training fact, as published, so that entities with many facts count more.
        links: See `GraphRecords`.
        exclude_links: See `GraphRecords`.
    """

    by: Literal["entities", "triples"] = "entities"

    format: ClassVar[str] = "entity_names"
    gives: ClassVar[type] = EntityNames

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[EntityNames]:
        """Stream the names.

        Args:
            source: The graph.
            lang: Language of the names.
            notes: Where names without a partner and excluded entities are counted.

        Raises:
            UserError: If the graph can't be read or lacks the language, or no name has a partner.
        """
        found = noted(notes)
        graph = self.rows(source, found)
        langs = graph.chosen(lang, self.pair_with, source)
        own = graph.names[langs[0]]
        entities = graph.entities if self.by == "entities" else chain.from_iterable(
            (head, tail) for head, _, tail in graph.facts
        )  # fmt: skip
        made = alone = 0
        for entity in entities:
            every = graph.of(entity, langs)
            for text in own.get(entity, ()):
                key = normal_key(text)
                others = tuple(name for name in every if normal_key(name[1]) != key)
                if not others:
                    alone += 1
                    continue
                pivot = next((name for name in others if name[0] == PIVOT), others[0])
                made += 1
                yield EntityNames(
                    entity, text, pivot[1], lang, pivot[0], others,
                    origin=f"{name_of(source)}:{entity}",
                )  # fmt: skip
        if not made:
            raise UserError(
                f"no name in {lang} has another name in {', '.join(self.pair_with)}",
                where=source,
                todo="Name languages of the graph: --set 'data.train.options.pair_with=[en]'",
            )
        if alone:
            told = f"{alone:,} names in {lang} have no other name and are left out"
            found.add(source, told, usual=True)


Part = EntityNamesReader
