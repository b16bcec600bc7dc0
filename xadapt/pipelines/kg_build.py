"""``build_graph``: from a knowledge graph and its links to a folder of tables with parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, require_empty
from xadapt.core.sequences import as_strings
from xadapt.data.graphs.graph import PARTS, KnowledgeGraph
from xadapt.data.graphs.joining import copied_facts
from xadapt.data.graphs.links import Links, require_known
from xadapt.data.graphs.opening import open_graph, open_links
from xadapt.data.graphs.split import crossing, parse_shares, split_links
from xadapt.data.graphs.writing import write_graph
from xadapt.data.readers.graph_source import file_name, reader_of
from xadapt.report.display import Displayed
from xadapt.report.table import Table

SPLIT = "30/10/60"
"""The default split of links without parts, in percent of train, dev and test."""
SHOWN = 12
"""Languages in the table."""


@dataclass(frozen=True, repr=False)
class BuiltGraph(Displayed):
    """The result of `build_graph`.

    Attributes:
        out: The folder.
        about: The content of its ``kg.json``: name, counts, the split, and the hashes of the files.
        notes: Lines about things to know before using the links.
    """

    out: Path
    about: dict[str, Any]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and hashes as JSON values."""
        return {**self.about, "notes": list(self.notes)}

    def _table(self) -> Table:
        counts = self.about["counts"]
        rows = [("facts", *_cells(counts["facts"]))]
        if "copied" in self.about:
            rows.append(("copied facts", "", "", "", f"{self.about['copied']['facts']:,}"))
        if "links" in self.about:
            rows.append(("links", *_cells(self.about["links"])))
        named = counts["named"]
        shown = sorted(named, key=lambda lang: (-named[lang], lang))
        rows += [(f"named in {lang}", f"{named[lang]:,}", "", "", "") for lang in shown[:SHOWN]]
        if len(shown) > SHOWN:
            rows.append((f"named in {len(shown) - SHOWN} more languages", "", "", "", ""))
        title = f"{self.about['name']}: {counts['entities']:,} entities"
        return Table(("", "all", *PARTS), tuple(rows), title, self.notes)


def _cells(counts: dict[str, int]) -> tuple[str, str, str, str]:
    train, dev, test = (counts[part] for part in PARTS)
    return f"{train + dev + test:,}", f"{train:,}", f"{dev:,}", f"{test:,}"


def build_graph(
    graph: str | KnowledgeGraph,
    out: str | Path,
    *,
    links: str | Links | None = None,
    split: str | None = None,
    seed: int = 0,
    langs: str | Iterable[str] | None = None,
) -> BuiltGraph:
    """Write a knowledge graph and its links as tables that ``kg:DIR`` reads.

    The folder holds names by language, facts and links by part, and ``kg.json`` with all counts and
    hashes. Links are split by connected component, so that no entity of a test link is linked to an
    entity of a training link.

    Args:
        graph: The source of a graph, such as ``dbp5l:DIR``, or a graph.
        out: The folder to make.
        links: A file of links, the source of a graph with links, or links. By default those of the
            graph itself, if it has links.
        split: The percent of links for train, dev and test, such as ``30/10/60``. By default the
            parts that the links have stay, and links without parts are split by 30/10/60.
        seed: Seed of the split.
        langs: Languages of names to keep; by default all.

    Raises:
        UserError: If the graph or the links can't be read, a link leads to nothing, or the folder
            is not empty.
    """
    shares = None if split is None else parse_shares(split)
    out = Path(out)
    require_empty(out)
    name = file_name(graph) if isinstance(graph, str) else graph.name
    own = open_graph(graph) if isinstance(graph, str) else graph
    named = replace(_in_languages(own, langs), name=name)
    found = _links(graph, links)
    if found is None:
        if split is not None:
            raise UserError("there are no links to split", where=name, todo="Add --links FILE")
    else:
        require_known(found, own)
        if langs is not None:
            found = _inside(found, named)
    facts: dict[str, Any] = {}
    notes: list[str] = []
    if found is not None:
        if shares is not None or not found.split:
            found = split_links(found, shares or parse_shares(SPLIT), seed)
            facts["split"] = {"shares": split or SPLIT, "seed": seed}
        facts["links"] = found.counts()
        facts["crossing"] = crossing(found)
        across = sum(facts["crossing"].values())
        if across:
            notes.append(
                f"{across:,} links of dev and test have an entity that further links lead to one "
                "of an earlier part: --split 30/10/60 keeps such groups in one part"
            )
        if named.counts()["facts"]["test"] and any(a != b for a, b in found.pairs):
            copied = copied_facts(named, found)
            facts["copied"] = {"facts": int(copied.sum()), "share": float(copied.mean())}
    with atomic_folder(out) as folder:
        about = write_graph(folder, named, found, facts)
    return BuiltGraph(out, about, tuple(notes))


def _links(graph: str | KnowledgeGraph, links: str | Links | None) -> Links | None:
    if isinstance(links, Links):
        return links
    if links is not None:
        return open_links(links)
    if not isinstance(graph, str):
        return None
    reader, place = reader_of(graph)
    return open_links(graph) if reader.has_links(place) else None


def _in_languages(graph: KnowledgeGraph, langs: str | Iterable[str] | None) -> KnowledgeGraph:
    """Return the entities with a name in one of the languages, with the names in these alone."""
    if langs is None:
        return graph
    tags = [part for text in as_strings(langs) for part in text.split(",") if part.strip()]
    if not tags:
        raise UserError("no language is named", where="--lang")
    return graph.in_languages(tag.strip() for tag in tags)


def _inside(links: Links, graph: KnowledgeGraph) -> Links | None:
    """Return the links whose both ends are in a graph."""
    keep: Sequence[bool] = [a in graph.index and b in graph.index for a, b in links.pairs]
    if not any(keep):
        return None
    return links.chosen(keep)
