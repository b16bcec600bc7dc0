"""Building of the arrays of a graph, row by row."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from xadapt.data.graphs.graph import PartName, part_number
from xadapt.data.graphs.names import Names, Texts
from xadapt.data.readers.graph_files import rows, wrong_id

TRIPLE = "head, relation and tail"


class Facts:
    """The facts of a graph while they are read, in 13 bytes a fact.

    Args:
        entities: The position of each entity.
        relations: The position of each relation; ``None`` collects the relations of the facts.
        table: Name of the file of entities, for errors.
        relation_table: Name of the file of relations, for errors.
    """

    def __init__(
        self,
        entities: Mapping[str, int],
        relations: Mapping[str, int] | None,
        table: str,
        relation_table: str = "",
    ) -> None:
        self._entities, self._table, self._relation_table = entities, table, relation_table
        self._known = relations
        self._found: dict[str, int] = {}
        self._rows, self._parts = array("i"), array("b")

    def add(self, head: str, relation: str, tail: str, where: str, part: PartName) -> None:
        """Add a fact.

        Raises:
            UserError: If an id is unknown.
        """
        ends = []
        for entity in (head, tail):
            position = self._entities.get(entity)
            if position is None:
                raise wrong_id("entity", entity, self._table, where)
            ends.append(position)
        if self._known is None:
            link: int | None = self._found.setdefault(relation, len(self._found))
        else:
            link = self._known.get(relation)
        if link is None:
            raise wrong_id("relation", relation, self._relation_table, where)
        self._rows.extend((ends[0], link, ends[1]))
        self._parts.append(part_number(part))

    def read(self, path: str, part: PartName) -> None:
        """Add the facts of a file with one a line.

        Raises:
            UserError: If the file can't be read, is empty, or a line is faulty.
        """
        for where, (head, relation, tail) in rows(path, 3, TRIPLE):
            self.add(head, relation, tail, where, part)

    def build(self) -> tuple[tuple[str, ...], NDArray[np.int32], NDArray[np.int8]]:
        """Return the relations, the facts ``(n, 3)`` and their parts ``(n,)``.

        Relations that were collected are sorted: numbers by value, other ids as text.
        """
        triples = np.frombuffer(self._rows, dtype=np.int32).reshape(-1, 3).copy()
        parts = np.frombuffer(self._parts, dtype=np.int8).copy()
        if self._known is not None:
            return tuple(self._known), triples, parts
        names = list(self._found)
        order = sorted(range(len(names)), key=lambda i: sort_key(names[i]))
        place = np.empty(len(names), dtype=np.int32)
        place[order] = np.arange(len(names), dtype=np.int32)
        if len(names):
            triples[:, 1] = place[triples[:, 1]]
        return tuple(names[i] for i in order), triples, parts


class NameTables:
    """Names by language while they are read: characters and 12 bytes a name, no objects."""

    def __init__(self) -> None:
        self._owners: dict[str, array[int]] = {}
        self._ends: dict[str, array[int]] = {}
        self._blocks: dict[str, bytearray] = {}

    def add(self, lang: str, position: int, text: str) -> None:
        """Add a name of the entity at a position."""
        if lang not in self._owners:
            self._owners[lang], self._ends[lang] = array("i"), array("q")
            self._blocks[lang] = bytearray()
        self._owners[lang].append(position)
        self._blocks[lang] += text.encode()
        self._ends[lang].append(len(self._blocks[lang]))

    def extend(self, other: NameTables) -> None:
        """Add the names of other tables after these."""
        for lang in other._owners:
            for position, text in other._rows(lang):
                self.add(lang, position, text)

    def build(self, index: Mapping[str, int]) -> dict[str, Names]:
        """Make the names of the entities of an index, by language."""
        ids = tuple(index)
        return {lang: Names(ids, index, self._rows(lang)) for lang in sorted(self._owners)}

    def of(self, position: int) -> list[tuple[str, str]]:
        """Return languages and names of the entity at a position."""
        return [
            (lang, text)
            for lang, owners in self._owners.items()
            if position in owners
            for own, text in self._rows(lang)
            if own == position
        ]

    def _rows(self, lang: str) -> Iterator[tuple[int, str]]:
        ends = np.frombuffer(self._ends[lang], dtype=np.int64).copy()
        texts = Texts(bytes(self._blocks[lang]), ends)
        return zip(self._owners[lang].tolist(), texts, strict=True)


def sort_key(name: str) -> tuple[int, str]:
    """Return the key that sorts numbers by value before other ids."""
    return (int(name), "") if name.isascii() and name.isdigit() else (1 << 62, name)
