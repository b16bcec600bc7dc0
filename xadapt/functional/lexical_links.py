"""A statistical word aligner: lexical translation probabilities learnt from parallel text alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xadapt.functional.word_alignment import Links, argmax_links

Sentence = Sequence[int]


@dataclass(frozen=True)
class Lexicon:
    """Translation probabilities of pairs of ids that occur together in some sentence pair.

    Attributes:
        keys: ``left * size + right`` of each pair of ids, sorted.
        size: A number above all right ids.
        forward: Probability of the right id given the left one, by key.
        backward: Probability of the left id given the right one, by key.
        diagonal: As for `learn_lexicon`.
    """

    keys: NDArray[np.int64]
    size: int
    forward: NDArray[np.float64]
    backward: NDArray[np.float64]
    diagonal: float

    def links(self, left: Sentence, right: Sentence, least: float = 0.0) -> Links:
        """Link positions of two sentences that choose each other: boolean ``(n, m)``.

        Each position chooses its most probable partner, by the posterior of its direction.

        Args:
            left: Ids of the first sentence.
            right: Ids of the second sentence.
            least: Least posterior, in both directions.
        """
        ours, theirs = np.asarray(left, np.int64), np.asarray(right, np.int64)
        if not len(self.keys):
            return np.zeros((len(ours), len(theirs)), bool)
        keys = ours[:, None] * self.size + theirs[None, :]
        known = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        there = (self.keys[known] == keys) & (theirs < self.size)
        near = _nearness(len(ours), len(theirs), self.diagonal)
        forward, backward = (
            _normalised(np.where(there, table[known], 0.0) * near, axis)
            for table, axis in ((self.forward, 0), (self.backward, 1))
        )
        sure = np.minimum(forward, backward) > least
        return argmax_links(np.sqrt(forward * backward)) & sure


def learn_lexicon(
    lefts: Sequence[Sentence],
    rights: Sequence[Sentence],
    rounds: int = 5,
    diagonal: float = 4.0,
) -> Lexicon:
    """Learn translation probabilities in both directions by expectation maximisation.

    It is IBM model 1 with the prior of fast_align on positions, without its null word.

    Source: Brown et al. 1993, https://aclanthology.org/J93-2003, section 4.1; the prior, with a
    fixed tension, of Dyer et al. 2013, https://aclanthology.org/N13-1073, section 2.

    Args:
        lefts: Ids of the first sentences, each at least 0.
        rights: Ids of the second sentences, one for each.
        rounds: Rounds of EM.
        diagonal: Tension of the prior: how much positions at the same share of their sentences
            are preferred; 0 for no prior.
    """
    size = 1 + max((int(i) for row in rights for i in row), default=0)
    cells = _Cells.of(lefts, rights, size, diagonal)
    forward, backward = (cells.learn(side, rounds) for side in ("left", "right"))
    return Lexicon(cells.keys, size, forward, backward, diagonal)


@dataclass(frozen=True)
class _Cells:
    """Every pair of positions of every sentence pair, in one row of numbers.

    Attributes:
        keys: The distinct pairs of ids, as in `Lexicon`.
        key: For each cell the position of its pair in ``keys``.
        groups: For each side, and each cell, the group in which the cell competes: the position on
            the other side that is to be explained.
        owners: For each side the number of the id of that side, for each of ``keys``.
        near: The prior of each cell, not normalised.
    """

    keys: NDArray[np.int64]
    key: NDArray[np.int64]
    groups: dict[str, NDArray[np.int64]]
    owners: dict[str, NDArray[np.int64]]
    near: NDArray[np.float64]

    @classmethod
    def of(
        cls, lefts: Sequence[Sentence], rights: Sequence[Sentence], size: int, diagonal: float
    ) -> _Cells:
        """Lay the sentence pairs out."""
        names, by_left, by_right, near = [], [], [], []
        lefts_before = rights_before = 0
        for left, right in zip(lefts, rights, strict=True):
            n, m = len(left), len(right)
            ours, theirs = np.asarray(left, np.int64), np.asarray(right, np.int64)
            names.append((ours[:, None] * size + theirs[None, :]).ravel())
            by_left.append(np.repeat(np.arange(n) + lefts_before, m))
            by_right.append(np.tile(np.arange(m) + rights_before, n))
            near.append(_nearness(n, m, diagonal).ravel())
            lefts_before, rights_before = lefts_before + n, rights_before + m
        none = [np.zeros(0, np.int64)]
        keys, key = np.unique(np.concatenate(names or none), return_inverse=True)
        groups = {
            "left": np.concatenate(by_right or none),
            "right": np.concatenate(by_left or none),
        }
        owners = {"left": keys // size, "right": keys % size}
        return cls(keys, key, groups, owners, np.concatenate(near or [np.zeros(0)]))

    def learn(self, given: str, rounds: int) -> NDArray[np.float64]:
        """Compute the probability of the other side's id, given that of a side, for each key."""
        group, owner = self.groups[given], self.owners[given]
        table = np.ones(len(self.keys))
        for _ in range(rounds):
            weight = table[self.key] * self.near
            weight /= np.bincount(group, weight)[group]
            counts = np.bincount(self.key, weight, minlength=len(self.keys))
            table = counts / np.bincount(owner, counts)[owner]
        return table


def _nearness(n: int, m: int, tension: float) -> NDArray[np.float64]:
    """Compute ``exp(-tension |i/n - j/m|)`` of all pairs of positions: ``(n, m)``."""
    ours = (np.arange(n)[:, None] + 0.5) / max(n, 1)
    theirs = (np.arange(m)[None, :] + 0.5) / max(m, 1)
    return np.asarray(np.exp(-tension * np.abs(ours - theirs)))


def _normalised(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    sums = values.sum(axis, keepdims=True)
    return np.divide(values, sums, out=np.zeros_like(values), where=sums > 0)
