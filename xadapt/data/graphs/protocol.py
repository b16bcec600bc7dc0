"""The interface of a reader of graphs."""

from __future__ import annotations

from typing import ClassVar, Protocol

from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links


class GraphReader(Protocol):
    """The ``Part`` of a file of `xadapt.data.graphs`.

    Attributes:
        layout: How a source is written, such as ``dbp5l:DIR[/LANGUAGE]``, and the files it needs.
    """

    layout: ClassVar[str]

    def read(self, place: str) -> KnowledgeGraph:
        """Read the graph.

        Args:
            place: The source without its prefix.

        Raises:
            UserError: If a file is missing or faulty.
        """

    def has_links(self, place: str) -> bool:
        """Return whether there are links between entities of the graph that `read` gives.

        Args:
            place: The source without its prefix.
        """

    def links(self, place: str) -> Links:
        """Read the links between the entities of the graph that `read` gives for this place.

        Args:
            place: The source without its prefix.

        Raises:
            UserError: If a file is missing or faulty, or the layout has no links.
        """
