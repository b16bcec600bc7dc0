"""Options and preparation that the readers of records from knowledge graphs share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr_split import PARTS
from xadapt.data.readers.graph_links import links_of
from xadapt.data.readers.graph_source import reader_of
from xadapt.data.readers.notes import Notes

OWN, NONE = "own", "none"


@dataclass(frozen=True)
class GraphRecords:
    """The options of a reader of records from a knowledge graph.

    Attributes:
        links: Links whose entities are one entity in training: a file with two ids and perhaps a
            part a line, or a graph that has links. Where links have parts, those of train are used.
            ``own`` means the training links of the graph itself, if it has links, and ``none``
            none.
        exclude_links: Links whose entities are left out, in the same form. Where links have parts,
            those of dev and test are used. The manifest of a module holds the file's hash.
    """

    links: str = OWN
    exclude_links: str | None = None

    def graph(self, source: str, notes: Notes) -> Any:
        """Read a graph, leave out the excluded entities, and join the linked ones.

        Args:
            source: The source of the graph.
            notes: Where the numbers of excluded entities and links are reported.

        Returns:
            A `xadapt.data.graphs.graph.KnowledgeGraph`.

        Raises:
            UserError: If a source can't be read, or a link leads to nothing.
        """
        reader, place = reader_of(source)
        graph = reader.read(place)
        excluded: set[str] = set()
        if self.exclude_links:
            pairs, split = links_of(self.exclude_links)
            chosen = [pair for pair, part in pairs.items() if part != 0 or not split]
            excluded = {entity for pair in chosen for entity in pair}
            for entity in sorted(excluded):
                graph.require(entity, "to exclude", self.exclude_links)
            graph = graph.without(excluded)
            file = Path(self.exclude_links).name
            notes.add(
                source,
                f"{len(excluded)} entities of the {len(chosen)} links in {file} left out",
                usual=True,
            )
        joined = self._joined(source, reader, place)
        if joined:
            kept = [pair for pair in joined if not excluded.intersection(pair)]
            graph = graph.joined(kept)
            out = len(joined) - len(kept)
            besides = f", {out} have excluded entities" if out else ""
            notes.add(source, f"entities of {len(kept)} links joined{besides}", usual=True)
        if not graph.entities:
            raise UserError("no entity is left", where=source, todo="Exclude fewer links")
        return graph

    def _joined(self, source: str, reader: Any, place: str) -> list[tuple[str, str]]:
        """Return the links whose entities are joined."""
        if self.links == NONE:
            return []
        if self.links == OWN:
            if not reader.has_links(place):
                return []
            links = reader.links(place).of(PARTS[0])
            return list(links.pairs)
        pairs, split = links_of(self.links)
        return [pair for pair, part in pairs.items() if part == 0 or not split]
