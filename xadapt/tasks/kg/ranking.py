"""Ranks of the right answers among all entities, where other right answers are left out.

The setting is "filtered": the other answers that are known from any part of the graph are left out
of the ranking, and the right one never is (Bordes et al. 2013, section 4.1). Ranks are "realistic":
the mean of the ranks before and after all equal scores (Berrendorf et al. 2020, arXiv 2002.06914).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["tail", "head"]
SIDES: tuple[Side, ...] = ("tail", "head")
Facts = NDArray[np.integer]
"""Facts ``(n, 3)``: positions of head, relation and tail."""
Scores = NDArray[np.float32]
Scorer = Callable[[NDArray[np.int64], Side], Scores]
"""From queries ``(q, 2)``, a known entity and a relation, and the side that is asked for, to the
scores ``(q, entities)`` of all entities; higher is better."""
BATCH = 256


def columns(side: Side) -> tuple[int, int]:
    """Return the columns of a fact that hold the known entity and the asked one."""
    return (0, 2) if side == "tail" else (2, 0)


def queries_of(facts: Facts, side: Side) -> NDArray[np.int64]:
    """Return the known entity and the relation of each fact, ``(n, 2)``."""
    return np.asarray(facts)[:, [columns(side)[0], 1]].astype(np.int64)


@dataclass(frozen=True)
class Known:
    """All known facts, for the lookup of the answers to a query.

    Attributes:
        facts: Facts of all parts ``(n, 3)``.
        side: The side that is asked for.
    """

    facts: Facts
    side: Side

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        asked = queries_of(self.facts, self.side)
        keys = _keys(asked, self._width)
        order = np.argsort(keys, kind="stable")
        return keys[order], self.facts[order, columns(self.side)[1]].astype(np.int64)

    @cached_property
    def _width(self) -> int:
        return int(self.facts[:, 1].max(initial=0)) + 1

    def answers(self, queries: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield the known answers to each query ``(q, 2)``, perhaps with repetitions."""
        keys, found = self._sorted
        inside = queries[:, 1] < self._width
        asked = np.where(inside, _keys(queries, self._width), -1)
        starts, ends = np.searchsorted(keys, asked), np.searchsorted(keys, asked, side="right")
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            yield found[start:end]


def filtered_ranks(
    scorer: Scorer, facts: Facts, known: Facts, side: Side, batch: int = BATCH
) -> NDArray[np.float64]:
    """Compute the realistic rank of each fact's own answer among all entities, from 1.

    Each query is scored once, also where several facts answer it.

    Args:
        scorer: The scores.
        facts: The facts to rank ``(n, 3)``.
        known: The facts of all parts, whose answers are left out.
        side: The side that is asked for.
        batch: Queries at a time.
    """
    ranks = np.empty(len(facts))
    for rows, owner, own, others in filtered_scores(scorer, facts, known, side, batch):
        for row, query, right in zip(rows.tolist(), owner.tolist(), own, strict=True):
            above = np.count_nonzero(others[query] > right)
            same = np.count_nonzero(others[query] == right)
            ranks[row] = 1 + above + same / 2
    return ranks


def filtered_scores(
    scorer: Scorer, facts: Facts, known: Facts, side: Side, batch: int = BATCH
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Scores, Scores]]:
    """Yield the scores of distinct queries, a batch at a time.

    Yields:
        The rows of the facts that a batch answers; for each the position of its query in the batch
        and the score of its own answer; and the scores of all entities ``(queries, entities)``,
        where known answers, the own one too, have minus infinity.
    """
    asked, answer = queries_of(facts, side), np.asarray(facts)[:, columns(side)[1]]
    distinct, place = np.unique(asked, axis=0, return_inverse=True)
    place = place.ravel()
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(len(distinct) + 1))
    lookup = Known(np.concatenate([np.asarray(known), np.asarray(facts)]), side)
    for start in range(0, len(distinct), batch):
        stop = min(start + batch, len(distinct))
        scores = np.array(scorer(distinct[start:stop], side), dtype=np.float32)
        rows = order[bounds[start] : bounds[stop]]
        owner = place[rows] - start
        own = scores[owner, answer[rows]]
        for row, answers in enumerate(lookup.answers(distinct[start:stop])):
            scores[row, answers] = -np.inf
        yield rows, owner, own, scores


def _keys(queries: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return queries[:, 0] * width + queries[:, 1]
