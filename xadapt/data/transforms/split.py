"""Split records by groups of equal texts, so that no text is in both parts.

Corpora repeat sentences, and one sentence often has several translations. A split by rows can put
two translations of one sentence in different parts. A split by groups can't.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.records import Record

Rows = TypeVar("Rows", bound=Record)


def group_pairs(pairs: Sequence[Record]) -> list[list[int]]:
    """Group record indexes: connected components of the records that share an equal text.

    Texts are equal by :func:`normal_key`, on either side. Groups are in the order of their first
    record, and indexes in a group ascend.
    """
    return _grouped([normal_key(text) for text in pair.split_texts()] for pair in pairs)


def _grouped(keys: Iterable[Sequence[str]]) -> list[list[int]]:
    """Compute the connected components of the rows that share a key.

    Keys are compared by 64 bits of a digest, so that a million keys need 8 MB. A chance collision
    (1 in 10 million for a million texts) only puts two groups together.
    """
    codes, counts = array("Q"), array("L")
    for row in keys:
        codes.extend(int.from_bytes(_digest(key)[:8], "little") for key in row)
        counts.append(len(row))
    parent = list(range(len(counts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for one, other in _sharing(np.array(codes, dtype=np.uint64), np.array(counts, dtype=np.int64)):
        left, right = root(one), root(other)
        parent[max(left, right)] = min(left, right)
    groups: dict[int, list[int]] = {}
    for index in range(len(parent)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _sharing(codes: NDArray[np.uint64], counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows that connect all rows with an equal code."""
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.argsort(codes, kind="stable")
    equal = np.flatnonzero(codes[order][1:] == codes[order][:-1])
    yield from zip(rows[order[equal]].tolist(), rows[order[equal + 1]].tolist(), strict=True)


def split_by_group(
    pairs: Sequence[Rows], *, dev: int | float, seed: int = 0
) -> tuple[list[Rows], list[Rows]]:
    """Split off a development part of whole groups.

    The choice of groups depends on their texts and the seed, not on the order of the rows. Groups
    are taken in the order of their hash while they fit, so a group larger than ``dev`` stays in
    training. If no group fits, the smallest group is taken if it has at most half of the records.

    Args:
        pairs: The records to split, all of one type.
        dev: Largest number of records to hold out, or a share between 0 and 1.
        seed: Seed of the choice of groups.

    Returns:
        ``(train, dev)``, each in the order of ``pairs``, neither empty.

    Raises:
        UserError: If ``dev`` is no such number or leaves no training records, or if all records
            are in one group.
    """
    wanted = _wanted(dev, len(pairs))
    own: list[bytes] = []

    def keys() -> Iterator[list[str]]:
        for pair in pairs:
            found = [normal_key(text) for text in pair.split_texts()]
            own.append(_digest(f"{seed}\n{min(found)}"))
            yield found

    def order(group: Sequence[int]) -> bytes:
        return own[group[0]] if len(group) == 1 else _hash(pairs, group, seed)

    groups = sorted(_grouped(keys()), key=order)
    taken: list[int] = []
    for group in groups:
        if len(taken) + len(group) <= wanted:
            taken += group
    if not taken:
        smallest = min(groups, key=len)
        if 2 * len(smallest) > len(pairs):
            raise UserError(
                f"nothing can be held out: {len(smallest)} of {len(pairs)} hang together by "
                "equal texts",
                todo="Give development data with --dev, or more data",
            )
        taken = smallest
    held = set(taken)
    train = [pair for index, pair in enumerate(pairs) if index not in held]
    return train, [pairs[index] for index in sorted(held)]


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _wanted(dev: int | float, count: int) -> int:
    if isinstance(dev, float) and 0 < dev < 1:
        return max(1, min(count - 1, round(dev * count))) if count > 1 else _refuse(dev, count)
    if isinstance(dev, int) and not isinstance(dev, bool) and 0 < dev < count:
        return dev
    return _refuse(dev, count)


def _refuse(dev: int | float, count: int) -> int:
    numbers = f"Use a number from 1 to {count - 1} or a share between 0 and 1, g"
    raise UserError(
        f"can't hold out {dev} of {count} rows",
        where="dev",
        todo=f"{numbers if count > 1 else 'G'}ive development data with --dev, or more data; "
        "--set data.train.dev=0 holds nothing out",
    )


def _hash(pairs: Sequence[Record], group: Sequence[int], seed: int) -> bytes:
    # No other group has these texts, so the smallest text names the group in any order of rows.
    least = min(normal_key(text) for i in group for text in pairs[i].split_texts())
    return _digest(f"{seed}\n{least}")
