"""Write a graph and its links as a folder in the layout of `xadapt.data.graphs.kg`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xadapt.core.files import sha256_file, write_json
from xadapt.data.graphs.graph import PARTS, KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.graphs.names import Names

ABOUT = "kg.json"


def write_graph(
    folder: Path,
    graph: KnowledgeGraph,
    links: Links | None = None,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the tables of a graph into an empty folder, with their hashes in ``kg.json``.

    Args:
        folder: An empty folder.
        graph: The graph.
        links: Links between its entities.
        facts: Further facts of the graph for ``kg.json``.

    Returns:
        The content of ``kg.json``: name, counts, and rows and SHA-256 of each file.
    """
    files: dict[str, Any] = {}

    def write(name: str, rows: Iterable[Sequence[str]]) -> None:
        count = 0
        with (folder / name).open("w", encoding="utf-8", newline="\n") as stream:
            for row in rows:
                count += 1
                stream.write("\t".join(row) + "\n")
        if count:
            files[name] = {"rows": count, "sha256": sha256_file(folder / name)}
        else:
            (folder / name).unlink()

    write("entities.tsv", ((entity,) for entity in graph.entities))
    for lang, names in graph.labels.items():
        write(f"names_{lang}.tsv", _named(graph.entities, names))
    for lang, names in graph.descriptions.items():
        write(f"descriptions_{lang}.tsv", _named(graph.entities, names))
    write("relations.tsv", ((relation,) for relation in graph.relations))
    for lang, names in graph.relation_labels.items():
        write(f"relation_names_{lang}.tsv", _named(graph.relations, names))
    for part in PARTS:
        facts_of = graph.records(part)
        write(f"{part}.tsv", ((one.head, one.relation, one.tail) for one in facts_of))
    write("attributes.tsv", _attributes(graph))
    if links is not None:
        for part in PARTS:
            write(f"links_{part}.tsv", links.of(part).pairs)
    about = {"name": graph.name, "counts": graph.counts(), **(facts or {}), "files": files}
    write_json(folder / ABOUT, about)
    return about


def _named(ids: Sequence[str], names: Names) -> Iterator[tuple[str, str]]:
    return ((ids[i], text) for i, text in names.rows())


def _attributes(graph: KnowledgeGraph) -> Iterator[Sequence[str]]:
    for entity, rows in graph.attributes.items():
        for attribute, value in rows:
            yield (entity, attribute, value) if value else (entity, attribute)
