"""Search for the same entities in two graphs, by a weighted sum of views, and its measures.

Entities of test links stand first on both sides. The pool of a query is either the entities of the
test links of the other side (``test``), or all entities of the other graph (``all``). Ranks are
realistic, see `xadapt.functional.metrics.ranks`. CSLS and assignments look at all queries at once:
they are transductive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.functional import metrics
from xadapt.tasks.kg.likeness import Mixed, Positions
from xadapt.vectors import matching
from xadapt.vectors.assignment import CELLS, Assignment, assign_all, assign_candidates
from xadapt.vectors.matching import Csls, Similarity
from xadapt.vectors.search.exact import Neighbours
from xadapt.vectors.search.faiss_index import FaissIndex
from xadapt.vectors.search.nearest import around, pair_of, search
from xadapt.vectors.search.sweep import Options, sweep

Pool = Literal["test", "all"]
Way = Literal["forward", "backward"]
WAYS: tuple[Way, ...] = ("forward", "backward")
MEASURES = ("hits@1", "hits@10", "mrr")
CANDIDATES = 50
"""Candidates of a query among which an assignment chooses, where all scores are too many."""


@dataclass(frozen=True)
class Found:
    """The best of the other side for each entity, in both directions.

    Attributes:
        forward: For each left entity ``(left, k)``.
        backward: For each right entity ``(right, k)``.
        half_means: For CSLS, half the mean score of the neighbourhood of each entity.
    """

    forward: Neighbours
    backward: Neighbours
    half_means: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def corrected(self, similarity: Similarity, rows: int | None = None) -> Similarity:
        """Return a similarity with the CSLS correction of this search, if it had one.

        Args:
            similarity: Scores ``(left, right)``, or of the first rows alone.
            rows: The number of left entities in ``similarity``; by default all.
        """
        if self.half_means is None:
            return similarity
        left, right = (torch.from_numpy(2 * own) for own in self.half_means)
        return Csls(similarity, left[:rows], right)


def find_matches(
    mixed: Mixed,
    k: int,
    *,
    csls: int = 0,
    index: str | None = None,
    memory: int = 2**30,
    half: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Find the ``k`` best of the other side for each entity, in both directions.

    Args:
        mixed: The views and their weights.
        k: Number of neighbours, cut to the smaller side.
        csls: Neighbourhood of CSLS, cut to the smaller side; 0 for plain scores.
        index: Name of a faiss index, for vectors alone.
        memory: Bytes for vectors and scores at a time, for vectors alone.
        half: Whether products are made in bfloat16; the answer is the same.
        progress: Called with the number of tiles done and of all tiles.

    Raises:
        UserError: If vectors hold NaN, or the index is unknown or needs vectors.
    """
    smaller = min(mixed.shape)
    k, csls = min(k, smaller), min(csls, smaller)
    vectors = mixed.vectors()
    if vectors is None:
        return _in_blocks(mixed.similarity(), k, csls)
    options = Options(half=half, memory=memory, progress=progress)
    pair = pair_of(vectors.left, vectors.right)
    if csls:
        by = sweep if index is None else FaissIndex.parse(index).sweep
        pair = around(pair, csls, options, by)
    forward, backward = search(pair, k, True, options=options, index=index)
    assert backward is not None
    means = pair.half_means
    return Found(forward, backward, None if means is None else (means[0].numpy(), means[1].numpy()))


def _in_blocks(similarity: Similarity, k: int, csls: int) -> Found:
    means = None
    if csls:
        corrected = matching.csls(similarity, csls)
        means = (corrected.query_mean.numpy() / 2, corrected.pool_mean.numpy() / 2)
        similarity = corrected
    return Found(*matching.top_both(similarity, k), means)


@dataclass(frozen=True)
class Matches:
    """Pairs of entities, in the order of the left ones.

    Attributes:
        left: Positions ``(n,)``.
        right: Positions ``(n,)``.
        scores: The score of each pair.
        ranks: The place of the right entity among all, for this left one, from 1.
        margins: The score minus the best score of any other candidate of the left entity; NaN if
            there is no other.
    """

    left: Positions
    right: Positions
    scores: NDArray[np.float64]
    ranks: NDArray[np.int64]
    margins: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.left)

    def chosen(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Matches:
        """Return some of the pairs."""
        return Matches(
            self.left[rows],
            self.right[rows],
            self.scores[rows],
            self.ranks[rows],
            self.margins[rows],
        )


def candidates(forward: Neighbours, top: int) -> Matches:
    """Return the ``top`` candidates of each left entity, best first."""
    n, k = forward.indices.shape
    top = min(top, k)
    scores = forward.scores[:, :top]
    best, second = forward.scores[:, :1], forward.scores[:, 1:2]
    others = np.repeat(best, top, axis=1)
    others[:, :1] = second if k > 1 else np.nan
    return Matches(
        np.repeat(np.arange(n), top),
        forward.indices[:, :top].ravel(),
        scores.ravel(),
        np.tile(np.arange(1, top + 1), n),
        (scores - others).ravel(),
    )


def mutual(found: Found) -> Matches:
    """Return the pairs that are nearest to each other."""
    pairs = matching.mutual(found.forward, found.backward)
    return candidates(found.forward, 1).chosen(pairs[:, 0])


def assigned(assignment: Assignment, found: Found, similarity: Similarity | None) -> Matches:
    """Return the pairs of an assignment.

    Args:
        assignment: The pairs.
        found: The candidates of each left entity.
        similarity: The scores, for the rank of a pair that is not among the candidates.
    """
    left, right = assignment.pairs.T
    near = found.forward.indices[left] == right[:, None]
    ranks = np.where(near.any(axis=1), near.argmax(axis=1) + 1, 0)
    if similarity is not None:
        for row in np.flatnonzero(ranks == 0).tolist():
            scores = similarity.rows(int(left[row]), int(left[row]) + 1)[0]
            ranks[row] = 1 + int((scores > scores[int(right[row])]).sum())
    best = found.forward.scores[left, 0]
    others = np.where(ranks == 1, _second(found.forward)[left], best)
    return Matches(left, right, assignment.scores, ranks, assignment.scores - others)


def assign(mixed: Mixed, found: Found) -> tuple[Matches, bool]:
    """Assign each left entity at most one right entity, and the reverse.

    All scores are compared if they fit in memory (`xadapt.vectors.assignment.CELLS`), else the
    candidates that ``found`` has of each left entity.

    Returns:
        The pairs, and whether all scores were compared.
    """
    n, m = mixed.shape
    if n * m > CELLS:
        return assigned(assign_candidates(found.forward, m), found, None), False
    similarity = found.corrected(mixed.similarity())
    return assigned(assign_all(similarity), found, similarity), True


def _second(forward: Neighbours) -> NDArray[np.float64]:
    if forward.scores.shape[1] > 1:
        return forward.scores[:, 1]
    return np.full(len(forward.scores), np.nan)


@dataclass(frozen=True)
class Answers:
    """The right answers of a test, where its entities stand first on both sides.

    Attributes:
        left: For each left entity a number; entities with one number are the same.
        right: The same for right entities.
        asked: The numbers of left and of right entities of test links.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    asked: tuple[int, int]

    @classmethod
    def of(cls, links: Positions, left: int, right: int) -> tuple[Answers, Positions, Positions]:
        """Number the entities by links, and put those of the links first.

        Links that share an entity make all their entities one.

        Args:
            links: Test links ``(n, 2)``.
            left: Number of left entities.
            right: Number of right entities.

        Returns:
            The answers, and the order of the left and of the right entities.
        """
        ends = links[:, 0], links[:, 1] + left
        edges = coo_array((np.ones(len(links)), ends), shape=(left + right, left + right))
        number = connected_components(edges, directed=False)[1].astype(np.int64)
        orders = []
        for column, size in ((0, left), (1, right)):
            own = np.zeros(size, dtype=bool)
            own[links[:, column]] = True
            orders.append(np.concatenate([np.flatnonzero(own), np.flatnonzero(~own)]))
        asked = tuple(len(np.unique(links[:, column])) for column in (0, 1))
        codes = number[:left][orders[0]], number[left:][orders[1]]
        return cls(*codes, asked=(asked[0], asked[1])), orders[0], orders[1]

    def within_test(self) -> Answers:
        """Return the answers of the entities of test links alone."""
        a, b = self.asked
        return Answers(self.left[:a], self.right[:b], self.asked)

    def ranks(self, similarity: Similarity) -> dict[Way, NDArray[np.float64]]:
        """Compute the ranks of the right answers in both directions.

        Args:
            similarity: Scores ``(left, right)``.
        """
        a, b = self.asked
        return {
            "forward": metrics.ranks(similarity, self.left[:a], self.right),
            "backward": metrics.ranks(similarity.swapped(), self.right[:b], self.left),
        }

    def right_share(self, matches: Matches) -> tuple[float, float]:
        """Compute precision and recall of pairs over the left entities of test links.

        Precision counts the pairs of these entities, recall counts the entities.
        """
        asked = matches.left < self.asked[0]
        good = self.left[matches.left[asked]] == self.right[matches.right[asked]]
        return float(good.mean()) if len(good) else 0.0, float(good.sum() / self.asked[0])


@dataclass(frozen=True)
class Scored:
    """The ranks of one system of an alignment, by direction."""

    ranks: Mapping[Way, NDArray[np.float64]]

    @cached_property
    def columns(self) -> dict[str, list[NDArray[np.float64]]]:
        """One number a query, by measure and direction."""
        made = {
            "hits@1": lambda own: metrics.hits(own, 1),
            "hits@10": lambda own: metrics.hits(own, 10),
            "mrr": metrics.reciprocal,
        }
        return {
            f"{measure} {way}": [values(self.ranks[way])]
            for measure, values in made.items()
            for way in WAYS
        }


def measure(mixed: Mixed, answers: Answers, csls: int = 0) -> dict[str, Scored]:
    """Rank the right answers by a sum of views, and by CSLS too if asked for.

    Args:
        mixed: The views, entities of test links first.
        answers: The right answers.
        csls: Neighbourhood of CSLS; 0 leaves it out.

    Returns:
        ``plain``, and ``csls`` if it was asked for.
    """
    vectors = mixed.vectors()
    similarity = mixed.similarity() if vectors is None else vectors.similarity()
    found = {"plain": Scored(answers.ranks(similarity))}
    if csls:
        k = min(csls, *mixed.shape)
        found["csls"] = Scored(answers.ranks(matching.csls(similarity, k)))
    return found


def comparison(
    systems: Mapping[str, Scored],
    pool: Pool,
    answers: Answers,
    *,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare systems on the same queries, with intervals.

    The two directions may have different numbers of queries, so each is resampled apart.

    Args:
        systems: The ranks of each system by name.
        pool: The pool, for the record.
        answers: The right answers.
        base: The system that the others are compared with.
        resamples: Number of bootstrap samples over queries.
        seed: Seed of the bootstrap.
    """
    columns = {name: own.columns for name, own in systems.items()}
    facts = {
        "pool": pool,
        "pool_size": {"forward": len(answers.right), "backward": len(answers.left)},
        "queries": {"forward": answers.asked[0], "backward": answers.asked[1]},
    }
    return compare(
        "alignment",
        "entities",
        columns,
        dict.fromkeys(next(iter(columns.values())), mean),
        facts=facts,
        base=base,
        resamples=resamples,
        seed=seed,
    )
