"""The shuffled-pairs control: the same sentences on both sides, with every translation taken away.

A module trained on it sees the same texts, lengths and vocabulary as the real one but no
correspondence, so whatever it gains on held-out pairs is not owed to alignment.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeGuard

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, Record
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.data.transforms.split import group_pairs, normal_key

_RESTARTS, _PASSES, _TRIES = 20, 10, 1000


@dataclass(frozen=True)
class ShufflePairs:
    """The shuffled-pairs control as a transform: the training pairs lose every translation.

    Development pairs stay as they are. ``train --controls`` trains the same control with a module.

    Source: control tasks, Hewitt and Liang 2019, https://arxiv.org/abs/1909.03368.
    """

    consumes: ClassVar[type] = ParallelPair
    gives: ClassVar[type] = ParallelPair
    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "train"

    def apply(self, records: Sequence[ParallelPair], services: Services) -> list[ParallelPair]:
        """As many pairs, each with the pivot of another group; see `shuffle_pairs`."""
        return shuffle_pairs(records, seed=services.seed)


def shuffle_pairs(pairs: Sequence[ParallelPair], *, seed: int = 0) -> list[ParallelPair]:
    """Give every text another pair's pivot, never one that is a known translation of it.

    Pivots come from another group of equal sentences (`xadapt.data.transforms.split.group_pairs`)
    unless one group holds more than half of the pairs; then from any pair whose pivot is not
    paired with an equal text anywhere in ``pairs``.

    Args:
        pairs: The real pairs.
        seed: Another seed gives another pairing.

    Returns:
        As many pairs in the same order of texts; each pivot is used as often as before.

    Raises:
        UserError: There is no such pairing, as with a single pair.
    """
    rng = random.Random(seed)
    groups = group_pairs(pairs)
    largest = max(map(len, groups), default=0)
    apart = 2 * largest <= len(pairs)
    sources = _rotate(groups, largest, rng) if apart else _repair(pairs, rng)
    return [
        replace(pair, pivot=pairs[source].pivot, pivot_lang=pairs[source].pivot_lang)
        for pair, source in zip(pairs, sources, strict=True)
    ]


def of_pairs(records: Sequence[Record]) -> TypeGuard[Sequence[ParallelPair]]:
    """Whether the records of one source are pairs, which can be shuffled."""
    return bool(records) and isinstance(records[0], ParallelPair)


def _rotate(groups: list[list[int]], largest: int, rng: random.Random) -> list[int]:
    """Lay the groups in a ring and turn it by the largest: every index lands in another group."""
    rng.shuffle(groups)
    for group in groups:
        rng.shuffle(group)
    ring = [index for group in groups for index in group]
    sources = [0] * len(ring)
    for place, index in enumerate(ring):
        sources[index] = ring[(place + largest) % len(ring)]
    return sources


def _repair(pairs: Sequence[ParallelPair], rng: random.Random) -> list[int]:
    """Permute at random, then swap until no text has a known translation."""
    texts = [normal_key(pair.text) for pair in pairs]
    pivots = [normal_key(pair.pivot) for pair in pairs]
    known = set(zip(texts, pivots, strict=True))

    def fits(index: int, source: int) -> bool:
        # A pivot equal to the text itself is a copy, which no shuffled pair may be.
        return (texts[index], pivots[source]) not in known and texts[index] != pivots[source]

    # Few pairs leave few pairings, which may take several beginnings to find.
    restarts = _RESTARTS if len(pairs) < _TRIES else 2
    for _ in range(restarts if _possible(texts, pivots, known) else 0):
        sources = list(range(len(pairs)))
        rng.shuffle(sources)
        for _ in range(_PASSES):
            wrong = [i for i, source in enumerate(sources) if not fits(i, source)]
            if not wrong:
                return sources
            if not sum(_swap(sources, index, fits, rng) for index in wrong):
                break
    raise UserError(
        f"these {len(pairs)} pairs share too many sentences to be shuffled without any text "
        "keeping a translation",
        todo="Give more varied data for the shuffled-pairs control",
    )


def _possible(texts: list[str], pivots: list[str], known: set[tuple[str, str]]) -> bool:
    """Whether the rows of each text (pivot) are no more than the pivots (texts) left for them."""
    rows, uses = Counter(texts), Counter(pivots)
    barred_rows: Counter[str] = Counter()
    barred_uses: Counter[str] = Counter()
    for text, pivot in known:
        barred_rows[text] += uses[pivot]
        barred_uses[pivot] += rows[text]
    return all(rows[text] + barred <= len(texts) for text, barred in barred_rows.items()) and all(
        uses[pivot] + barred <= len(texts) for pivot, barred in barred_uses.items()
    )


def _swap(
    sources: list[int], index: int, fits: Callable[[int, int], bool], rng: random.Random
) -> bool:
    count = len(sources)
    start = rng.randrange(count)
    for step in range(min(count, _TRIES)):
        other = (start + step) % count
        if fits(index, sources[other]) and fits(other, sources[index]):
            sources[index], sources[other] = sources[other], sources[index]
            return True
    return False


Part = ShufflePairs
