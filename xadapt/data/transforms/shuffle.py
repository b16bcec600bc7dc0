"""Make the shuffled-pairs control: the same sentences on both sides, without any translation.

A module trained on the control sees the same texts, lengths and vocabulary as the real module, but
no correspondence. So the control's gain on held-out pairs does not come from alignment.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, Record, TextPair
from xadapt.data.transforms.protocol import Applies, Services
from xadapt.data.transforms.split import group_pairs, normal_key

_RESTARTS, _PASSES, _TRIES = 20, 10, 1000


@dataclass(frozen=True)
class ShufflePairs:
    """The shuffled-pairs control as a transform: the training pairs lose every translation.

    Development pairs stay unchanged. ``train --controls`` trains the same control with a module.

    Source: control tasks, Hewitt and Liang 2019, https://arxiv.org/abs/1909.03368.
    """

    consumes: ClassVar[type] = ParallelPair
    gives: ClassVar[type] = ParallelPair
    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "train"

    def apply(self, records: Sequence[ParallelPair], services: Services) -> list[ParallelPair]:
        """Return as many pairs, with shuffled pivots; see `shuffle_pairs`."""
        return shuffle_pairs(records, seed=services.seed)


def shuffle_pairs(pairs: Sequence[ParallelPair], *, seed: int = 0) -> list[ParallelPair]:
    """Give every text the pivot of another pair, never a known translation of the text.

    Pivots come from another group of equal sentences (`xadapt.data.transforms.split.group_pairs`)
    unless one group has more than half of the pairs. In that case a text can get any pivot that is
    not paired with an equal text anywhere in ``pairs`` and is not equal to the text.

    Args:
        pairs: The real pairs.
        seed: Seed of the pairing.

    Returns:
        As many pairs in the same order of texts. Each pivot is used as often as before.

    Raises:
        UserError: If no such pairing is found, for example with a single pair.
    """
    return [
        replace(pair, pivot=pairs[source].pivot, pivot_lang=pairs[source].pivot_lang)
        for pair, source in zip(pairs, _sources(pairs, seed), strict=True)
    ]


def _sources(pairs: Sequence[ParallelPair], seed: int) -> list[int]:
    """Return, for each pair, the position of the pair whose pivot it gets."""
    rng = random.Random(seed)
    groups = group_pairs(pairs)
    largest = max(map(len, groups), default=0)
    apart = 2 * largest <= len(pairs)
    return _rotate(groups, largest, rng) if apart else _repair(pairs, rng)


def of_pairs(records: Sequence[Record]) -> bool:
    """Return whether the records of one source are pairs, which can be shuffled."""
    return bool(records) and isinstance(records[0], (ParallelPair, TextPair))


def shuffled(records: Sequence[Any], *, seed: int = 0) -> list[Any]:
    """Shuffle pairs of two languages or of one.

    In one language every anchor gets the positive and the hard negatives of another pair, never a
    positive of its own.

    Args:
        records: Pairs of one type.
        seed: Seed of the pairing.

    Raises:
        UserError: As for `shuffle_pairs`.
    """
    if not isinstance(records[0], TextPair):
        return shuffle_pairs(records, seed=seed)
    sides = [ParallelPair(row.anchor, row.positive, row.lang, row.lang) for row in records]
    places = _sources(sides, seed)
    return [
        replace(row, positive=records[place].positive, negatives=records[place].negatives)
        for row, place in zip(records, places, strict=True)
    ]


def _rotate(groups: list[list[int]], largest: int, rng: random.Random) -> list[int]:
    """Rotate the list of groups by the largest group size: every index gets another group."""
    rng.shuffle(groups)
    for group in groups:
        rng.shuffle(group)
    ring = [index for group in groups for index in group]
    sources = [0] * len(ring)
    for place, index in enumerate(ring):
        sources[index] = ring[(place + largest) % len(ring)]
    return sources


def _repair(pairs: Sequence[ParallelPair], rng: random.Random) -> list[int]:
    """Permute at random, then swap until no text has a known translation or a copy."""
    texts = [normal_key(pair.text) for pair in pairs]
    pivots = [normal_key(pair.pivot) for pair in pairs]
    known = set(zip(texts, pivots, strict=True))

    def fits(index: int, source: int) -> bool:
        # A pivot equal to the text is a copy, and no shuffled pair may be a copy.
        return (texts[index], pivots[source]) not in known and texts[index] != pivots[source]

    # Few pairs have few valid pairings, so the search may need several restarts.
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
    """Return whether each text (pivot) has enough allowed pivots (texts) for its rows."""
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
