"""Names of entities in compact arrays, so that a million names need no million objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Texts(Sequence[str]):
    """Many texts as one block of UTF-8, with 8 bytes a text besides its characters.

    Args:
        block: The texts, one after the other.
        ends: The end of each text in the block, in bytes, ``(n,)``.
    """

    def __init__(self, block: bytes, ends: NDArray[np.int64]) -> None:
        self._block, self._ends = block, ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Pack texts."""
        block, ends = bytearray(), array("q")
        for text in texts:
            block += text.encode()
            ends.append(len(block))
        return cls(bytes(block), np.frombuffer(ends, dtype=np.int64).copy())

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        start = int(self._ends[index - 1]) if index else 0
        return self._block[start : int(self._ends[index])].decode()


class Names(Mapping[str, tuple[str, ...]]):
    """The names of entities in one language: a mapping of entity ids to one or more names.

    The first name of an entity is its usual one. The same class holds descriptions and attributes.

    Args:
        entities: All ids of the graph.
        index: The position of each id in ``entities``.
        rows: Positions of entities with their names, in any order. The order of the names of one
            entity stays, and a repeated name is kept once.
    """

    def __init__(
        self,
        entities: Sequence[str],
        index: Mapping[str, int],
        rows: Iterable[tuple[int, str]],
    ) -> None:
        self._entities, self._index = entities, index
        owners = array("i")

        def texts() -> Iterator[str]:
            for owner, text in rows:
                owners.append(owner)
                yield text

        packed = Texts.of(texts())
        unsorted = np.frombuffer(owners, dtype=np.int32).copy()
        order = np.argsort(unsorted, kind="stable")
        keep = _without_repetitions(unsorted[order], order, packed)
        order = order[keep]
        self.owners: NDArray[np.int32] = unsorted[order]
        self.texts = packed if _counts_up(order, packed) else Texts.of(packed[i] for i in order)

    def __getitem__(self, entity: str) -> tuple[str, ...]:
        found = self.at(self._index[entity])
        if not found:
            raise KeyError(entity)
        return found

    def at(self, position: int) -> tuple[str, ...]:
        """Return the names of the entity at a position; empty if it has none."""
        start, end = np.searchsorted(self.owners, [position, position + 1])
        return tuple(self.texts[start:end])

    def __iter__(self) -> Iterator[str]:
        return (self._entities[i] for i in np.unique(self.owners))

    def __len__(self) -> int:
        return len(np.unique(self.owners))

    def moved(self, entities: Sequence[str], index: Mapping[str, int]) -> Names:
        """Return the same names for entities with other ids, in the same order.

        Args:
            entities: The new ids.
            index: The position of each new id.
        """
        made = copy(self)
        made._entities, made._index = entities, index
        return made

    def rows(self) -> Iterator[tuple[int, str]]:
        """Yield positions of entities with their names, ordered by position."""
        return zip(self.owners.tolist(), self.texts, strict=True)

    def first(self) -> tuple[NDArray[np.int32], list[str]]:
        """Return the positions of entities with a name, ``(n,)``, and the first name of each."""
        positions, starts = np.unique(self.owners, return_index=True)
        return positions, [self.texts[i] for i in starts]


def _counts_up(order: NDArray[np.int64], texts: Texts) -> bool:
    return len(order) == len(texts) and bool((order[1:] > order[:-1]).all())


def _without_repetitions(
    owners: NDArray[np.int32], order: NDArray[np.int64], texts: Texts
) -> NDArray[np.bool_]:
    """Return which rows are no repetition of an earlier one of the same entity."""
    keep = np.ones(len(owners), dtype=bool)
    same = np.flatnonzero(owners[1:] == owners[:-1]) + 1
    known: set[str] = set()
    last = -1
    for i in same.tolist():
        if owners[i] != last:
            known, last = {texts[order[i - 1]]}, int(owners[i])
        text = texts[order[i]]
        keep[i] = text not in known
        known.add(text)
    return keep
