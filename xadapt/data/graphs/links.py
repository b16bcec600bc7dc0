"""Links between entities: pairs of ids that stand for the same entity, with their parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import PARTS, KnowledgeGraph, PartName, part_number
from xadapt.data.readers.graph_files import rows
from xadapt.data.records import EntityLink


@dataclass(frozen=True, eq=False)
class Links:
    """Pairs of entities that are the same, in the order of the source.

    Attributes:
        name: Name of the source, without local folders.
        pairs: Ids ``(left, right)``. One entity may stand in several pairs.
        parts: The part of each pair ``(n,)``, a position in `PARTS`.
        split: Whether the source names parts. Without them all pairs are in test.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    parts: NDArray[np.int8]
    split: bool = True

    def __len__(self) -> int:
        return len(self.pairs)

    def of(self, *parts: PartName) -> Links:
        """Return the links of some parts.

        Raises:
            UserError: If there is no such part.
        """
        return self.chosen(np.isin(self.parts, [part_number(part) for part in parts]).tolist())

    def chosen(self, keep: Sequence[bool]) -> Links:
        """Return some of the links.

        Args:
            keep: Whether each link stays.
        """
        pairs = tuple(pair for pair, stays in zip(self.pairs, keep, strict=True) if stays)
        return replace(self, pairs=pairs, parts=self.parts[np.array(keep, dtype=bool)])

    def records(self) -> Iterator[EntityLink]:
        """Yield the pairs as records."""
        return (EntityLink(left, right, origin=self.name) for left, right in self.pairs)

    def entities(self) -> frozenset[str]:
        """Return the ids of both sides."""
        return frozenset(entity for pair in self.pairs for entity in pair)

    def swapped(self) -> Links:
        """Return the links with both sides swapped."""
        return replace(self, pairs=tuple((right, left) for left, right in self.pairs))

    def counts(self) -> dict[str, int]:
        """Return the number of links by part."""
        return {part: int((self.parts == i).sum()) for i, part in enumerate(PARTS)}

    @property
    def sha256(self) -> str:
        """The SHA-256 of the pairs with their parts, in order."""
        digest = hashlib.sha256()
        for (left, right), part in zip(self.pairs, self.parts.tolist(), strict=True):
            digest.update(f"{left}\t{right}\t{PARTS[part]}\n".encode())
        return digest.hexdigest()


def make_links(name: str, pairs: Iterable[tuple[str, str]], part: PartName | None = None) -> Links:
    """Make links of one part, or links without parts."""
    kept = tuple(pairs)
    number = part_number(part or "test")
    return Links(name, kept, np.full(len(kept), number, np.int8), split=part is not None)


def links_of_file(name: str, path: str, meaning: str) -> Links:
    """Read links without parts, each once.

    Args:
        name: Name of the links.
        path: A file with two ids on each line.
        meaning: What a line holds, for errors.

    Raises:
        UserError: If the file can't be read, is empty, or a line is faulty.
    """
    return make_links(name, dict.fromkeys((a, b) for _, (a, b) in rows(path, 2, meaning)))


def links_by_part(name: str, files: Mapping[PartName, str], meaning: str) -> Links:
    """Read links from a file for each part, each once.

    Args:
        name: Name of the links.
        files: By part, a file with two ids on each line.
        meaning: What a line holds, for errors.

    Raises:
        UserError: If a file can't be read, is empty, a line is faulty, or a link is in two parts.
    """
    known: dict[tuple[str, str], PartName] = {}
    for part, path in files.items():
        for where, (left, right) in rows(path, 2, meaning):
            other = known.setdefault((left, right), part)
            if other != part:
                raise UserError(
                    f"the link {left} - {right} is in {other} and in {part}",
                    where=where,
                    todo="Keep it in one part, or split the links by xadapt kg build",
                )
    numbers = (part_number(part) for part in known.values())
    return Links(name, tuple(known), np.fromiter(numbers, np.int8, len(known)))


def united_links(name: str, several: Iterable[Links]) -> Links:
    """Put links together, in order."""
    found = list(several)
    parts = [one.parts for one in found] or [np.zeros(0, np.int8)]
    pairs = tuple(pair for one in found for pair in one.pairs)
    return Links(name, pairs, np.concatenate(parts), all(one.split for one in found))


def require_known(links: Links, left: KnowledgeGraph, right: KnowledgeGraph | None = None) -> None:
    """Refuse links to entities that a graph lacks.

    Args:
        links: The links.
        left: The graph of the left ids.
        right: The graph of the right ids; by default the same.

    Raises:
        UserError: If a link leads to nothing.
    """
    right = left if right is None else right
    for a, b in links.pairs:
        for entity, graph in ((a, left), (b, right)):
            if entity not in graph.index:
                raise UserError(
                    f"the link {a} - {b} leads to nothing: {graph.name} has no entity {entity!r}",
                    where=links.name,
                    todo="Check that the links belong to these graphs, in this order",
                )


def require_apart(train: Links, test: Links) -> None:
    """Refuse test links with an entity that is in a training link too.

    Raises:
        UserError: If an entity is in both.
    """
    known = train.entities()
    for left, right in test.pairs:
        shared = left if left in known else right if right in known else None
        if shared is not None:
            raise UserError(
                f"the entity {shared!r} of the test link {left} - {right} is in a training link",
                where=test.name,
                todo="Split the links by connected component: xadapt kg build --split 30/10/60",
            )
