"""Open knowledge graphs and links by their source, such as ``dbp5l:DIR/ja`` or ``kg:DIR``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.readers.graph_links import LINK, link_rows
from xadapt.data.readers.graph_source import is_graph, reader_of


def open_graph(source: str) -> KnowledgeGraph:
    """Read a knowledge graph.

    Args:
        source: ``dbp15k:DIR``, ``openea:DIR``, ``dbp5l:DIR/ja``, ``wikidata:DIR``,
            ``ntriples:FILE``, ``wikikge:DIR``, ``kg:DIR`` or ``cldr``; ``xadapt list graphs`` shows
            all layouts.

    Raises:
        UserError: If there is no such layout, or a file is missing or faulty.
    """
    reader, place = reader_of(source)
    graph: KnowledgeGraph = reader.read(place)
    if not graph.entities:
        raise UserError("there is no entity in this graph", where=source)
    return graph


def open_links(source: str) -> Links:
    """Read links between entities.

    Args:
        source: The source of a graph that has links, such as ``dbp15k:DIR``, or a file with two ids
            and perhaps a part (``train``, ``dev`` or ``test``) on each line, separated by tabs.

    Raises:
        UserError: If the source can't be read, has no links, or one pair is in two parts.
    """
    if is_graph(source) and not Path(source).exists():
        reader, place = reader_of(source)
        links: Links = reader.links(place)
    else:
        links = read_link_file(source)
    if not links.pairs:
        raise UserError("there is no link", where=source, todo=f"A line holds {LINK}")
    return links


def read_link_file(path: str, name: str | None = None) -> Links:
    """Read a file with two ids, and perhaps a part, on each line.

    Args:
        path: The file, plain or compressed.
        name: Name of the links; by default the name of the file.

    Raises:
        UserError: If the file can't be read, is empty, a line is faulty, some lines have a part and
            some have none, or one pair is in two parts.
    """
    pairs, split = link_rows(path)
    parts = np.fromiter(pairs.values(), np.int8, len(pairs))
    return Links(name or Path(path).name, tuple(pairs), parts, split)
