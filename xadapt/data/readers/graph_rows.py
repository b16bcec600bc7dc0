"""Entities of a graph with all their names, for the readers of records that recipes use.

The source is one of a knowledge graph, see `xadapt.data.readers.graph_source`. Of the built-in
graph ``cldr`` a part is read, by default ``train``: entities of other parts never occur.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr import parse_source
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.graph_source import is_graph, reader_of
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes, name_of
from xadapt.languages.match import find_same

Name = tuple[str, str]
Names = Mapping[str, Sequence[str]]
HELD_OUT = (1, 2)
"""The parts of links that are no training links: dev and test."""
ALL = "all"
_PARTS = {"train": 0, "sup": 0, "dev": 1, "val": 1, "valid": 1, "test": 2, "ref": 2}


@dataclass(frozen=True)
class GraphRows:
    """The part of a graph that a module is trained on.

    Attributes:
        entities: The ids, in order.
        names: The names by language, then by entity.
        facts: Training facts: head, relation, tail.
        relations: The names of relations by language, then by relation.
        descriptions: Texts about entities, by language, then by entity.
        excluded: Number of entities that were left out, and the hash of the links that name them.
    """

    entities: tuple[str, ...]
    names: Mapping[str, Names]
    facts: tuple[tuple[str, str, str], ...]
    relations: Mapping[str, Names]
    descriptions: Mapping[str, Names]
    excluded: tuple[int, str] = (0, "")

    def language(self, tag: str, source: str) -> str:
        """Return the graph's own tag of a language.

        Raises:
            UserError: If the graph has no names in it.
        """
        found = find_same(tag, self.names)
        if found is None:
            known = ", ".join(list(self.names)[:20]) + (", ..." if len(self.names) > 20 else "")
            raise UserError(
                f"the graph has no names in {tag!r}", where=source, todo=f"It has {known}"
            )
        return found

    def chosen(self, tag: str, others: Sequence[str], source: str) -> list[str]:
        """Return the graph's tags of a language and of others, each once.

        Args:
            tag: The language.
            others: Further languages; ``all`` means every language of the graph. Those that the
                graph lacks are left out.
            source: The source, for errors.

        Raises:
            UserError: If the graph has no names in the language.
        """
        own = self.language(tag, source)
        if ALL in others:
            return list(dict.fromkeys([own, *self.names]))
        found = (find_same(other, self.names) for other in others)
        return list(dict.fromkeys([own, *(one for one in found if one is not None)]))

    def of(self, entity: str, langs: Iterable[str], table: str = "names") -> tuple[Name, ...]:
        """Return the names of an entity in some languages.

        Args:
            entity: The entity, or a relation.
            langs: The languages.
            table: ``names`` or ``relations``.
        """
        tables: Mapping[str, Names] = getattr(self, table)
        return tuple(
            (lang, name) for lang in langs for name in tables.get(lang, {}).get(entity, ())
        )


def read_rows(source: str, links: str, exclude: str, notes: Notes) -> GraphRows:
    """Read the training part of a graph.

    Args:
        source: The source of the graph.
        links: Links whose training part makes two entities one; a source of a graph, or a file of
            ids, ids and perhaps parts. Empty for none.
        exclude: Links whose entities are left out: those of dev and test where the links have
            parts, else all. Empty for none.
        notes: Where the excluded entities are reported, with the hash of their links.

    Raises:
        UserError: If the graph or the links can't be read, or a link leads to nothing.
    """
    rows = _cldr(source) if source.partition(":")[0] == "cldr" else _read(source, links, exclude)
    if source.partition(":")[0] == "cldr" and (links or exclude):
        raise UserError(
            "the built-in graph has parts of its own, and takes no links",
            where=source,
            todo="Name its part instead: cldr, cldr:dev or cldr:test",
        )
    count, sha256 = rows.excluded
    if exclude:
        told = f"{count:,} entities of {name_of(exclude)} are excluded (sha256 {sha256[:16]})"
        notes.add(source, told, usual=True)
    return rows


@lru_cache(maxsize=1)
def _cldr(source: str) -> GraphRows:
    _, part = parse_source(source)
    graph = build()
    kept = [entity for entity in graph.entities if part in (None, graph.split[entity])]
    names = {
        lang: {entity: (own[entity],) for entity in kept if entity in own}
        for lang, own in graph.labels.items()
    }
    facts = tuple((t.head, t.relation, t.tail) for t in graph.facts(part))
    relations = {fact[1]: (fact[1].replace("_", " "),) for fact in facts}
    return GraphRows(tuple(kept), names, facts, {"en": relations}, {})


def _read(source: str, links: str, exclude: str) -> GraphRows:
    reader, place = reader_of(source)
    graph = reader.read(place)
    entities = tuple(graph.entities)
    index = {entity: i for i, entity in enumerate(entities)}
    leader = list(range(len(entities)))

    def root(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    def number(entity: str, where: str) -> int:
        if entity not in index:
            raise UserError(
                f"a link leads to nothing: the graph has no entity {entity[:80]!r}",
                where=where,
                todo="Check that the links belong to this graph",
            )
        return index[entity]

    if links:
        for left, right in read_links(links, lambda part: part not in HELD_OUT):
            one, other = root(number(left, links)), root(number(right, links))
            leader[max(one, other)] = min(one, other)
    gone: set[int] = set()
    digest = hashlib.sha256()
    if exclude:
        for left, right in read_links(exclude, lambda part: part != 0):
            gone |= {root(number(left, exclude)), root(number(right, exclude))}
            digest.update(f"{left}\t{right}\n".encode())
    groups = [root(i) for i in range(len(entities))]

    def collected(tables: Mapping[str, Any], at: Sequence[int] | None) -> dict[str, Names]:
        found: dict[str, dict[str, list[str]]] = {}
        for lang, own in tables.items():
            for position, text in own.rows():
                group = position if at is None else at[position]
                if at is not None and group in gone:
                    continue
                key = graph.relations[group] if at is None else entities[group]
                have = found.setdefault(lang, {}).setdefault(key, [])
                if text not in have:
                    have.append(text)
        return found

    facts = dict.fromkeys(
        (entities[groups[head]], graph.relations[relation], entities[groups[tail]])
        for head, relation, tail in graph.facts("train").tolist()
        if groups[head] not in gone and groups[tail] not in gone
    )
    kept = tuple(entities[i] for i in dict.fromkeys(groups) if i not in gone)
    return GraphRows(
        kept,
        collected(graph.labels, groups),
        tuple(facts),
        collected(graph.relation_labels, None),
        collected(graph.descriptions, groups),
        (sum(group in gone for group in groups), digest.hexdigest()),
    )


def read_links(source: str, wanted: Any) -> Iterator[tuple[str, str]]:
    """Stream the pairs of links of some parts.

    Args:
        source: The source of a graph with links, or a file of ids, ids and perhaps parts.
        wanted: Whether the links of a part, 0 (train), 1 (dev), 2 (test) or None, are streamed.

    Raises:
        UserError: If the links can't be read.
    """
    if is_graph(source) and not Path(source).exists():
        reader, place = reader_of(source)
        found = reader.links(place)
        parts = found.parts.tolist() if found.split else [None] * len(found.pairs)
        yield from (pair for pair, part in zip(found.pairs, parts, strict=True) if wanted(part))
        return
    for line_number, line in read_lines(source):
        cells = line.split("\t")
        if not line.strip():
            continue
        if len(cells) not in (2, 3) or (len(cells) == 3 and cells[2].strip() not in _PARTS):
            raise UserError(
                "this line is not two ids and perhaps a part, separated by tabs",
                where=f"{source}:{line_number}",
                todo="Write: id, tab, id, and if you like tab, train, dev or test",
            )
        part = _PARTS[cells[2].strip()] if len(cells) == 3 else None
        if wanted(part):
            yield cells[0].strip(), cells[1].strip()
