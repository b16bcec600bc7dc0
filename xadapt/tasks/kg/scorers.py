"""Scorers of facts: by names, by frequency, and weighted sums of scorers.

A scorer takes queries and gives scores of all entities, see `xadapt.tasks.kg.ranking.Scorer`.
Scorers of different kinds have different units. So a sum first brings the scores of each query to
mean 0 and deviation 1 over all entities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.tasks.kg.ranking import Facts, Known, Scorer, Scores, Side, columns, queries_of

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
STEPS = 10
SAMPLE = 400
BATCH = 64
FREQUENCY = "most frequent"


class ByNames:
    """Cosine between the phrase of a query and the name of each entity.

    The phrase of a tail is "head relation", that of a head "relation tail".

    Args:
        encode: Function from texts to vectors ``(n, dim)``, for phrases.
        names: The name of each entity; empty for none.
        relations: The name of each relation; empty for none.
        encode_names: The same function for names of answers; by default ``encode``.
    """

    def __init__(
        self,
        encode: Encode,
        names: Sequence[str],
        relations: Sequence[str],
        encode_names: Encode | None = None,
    ) -> None:
        self.encode, self.names, self.relations = encode, names, relations
        named = [i for i, name in enumerate(names) if name]
        if not named:
            raise UserError("no entity has a name", todo="Leave out --module")
        vectors = unit((encode_names or encode)([names[i] for i in named]))
        self._pool = np.zeros((len(names), vectors.shape[1]), dtype=np.float32)
        self._pool[named] = vectors
        self._done: dict[str, NDArray[np.float32]] = {}

    def __call__(self, queries: NDArray[np.int64], side: Side) -> Scores:
        """Score all entities, ``(q, entities)``."""
        texts = [self._phrase(entity, relation, side) for entity, relation in queries.tolist()]
        asked = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        vectors = unit(self.encode(list(asked)))
        found: Scores = vectors[[asked[text] for text in texts]] @ self._pool.T
        return found

    def _phrase(self, entity: int, relation: int, side: Side) -> str:
        parts = (self.names[entity], self.relations[relation])
        return " ".join(filter(None, parts if side == "tail" else parts[::-1]))


class MostFrequent:
    """How often an entity is the answer to a relation in training: the floor.

    Args:
        facts: Training facts ``(n, 3)``.
        entities: Number of entities.
    """

    def __init__(self, facts: Facts, entities: int) -> None:
        self._entities = entities
        self._counts: dict[tuple[Side, int], tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        facts = np.asarray(facts)
        for side in ("tail", "head"):
            pairs, count = np.unique(facts[:, [1, columns(side)[1]]], axis=0, return_counts=True)
            for relation in np.unique(pairs[:, 0]).tolist():
                own = pairs[:, 0] == relation
                self._counts[side, relation] = (pairs[own, 1], count[own])

    def __call__(self, queries: NDArray[np.int64], side: Side) -> Scores:
        """Score all entities, ``(q, entities)``."""
        scores = np.zeros((len(queries), self._entities), dtype=np.float32)
        for row, relation in enumerate(queries[:, 1].tolist()):
            found = self._counts.get((side, relation))
            if found is not None:
                scores[row, found[0]] = found[1]
        return scores


class Weighted:
    """A weighted sum of scorers, each in units of its deviation over all entities of a query.

    Args:
        scorers: The scorers by name.
        weights: By side, the weight of each scorer by name; those with weight 0 are not called.
    """

    def __init__(
        self, scorers: Mapping[str, Scorer], weights: Mapping[Side, Mapping[str, float]]
    ) -> None:
        self.scorers, self.weights = scorers, weights

    def __call__(self, queries: NDArray[np.int64], side: Side) -> Scores:
        """Score all entities, ``(q, entities)``."""
        total: Scores | None = None
        for name, weight in self.weights[side].items():
            if weight:
                own = np.float32(weight) * standardised(self.scorers[name](queries, side))
                total = own if total is None else total + own
        if total is None:
            raise UserError("all weights are 0", where="--weights", todo="Give one above 0")
        return total


def choose_weights(
    scorers: Mapping[str, Scorer],
    facts: Facts,
    known: Facts,
    side: Side,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> dict[str, float]:
    """Return the weights with the highest MRR on validation facts: tenths that sum to 1.

    Of equally good weights, those with most zeros win.

    Args:
        scorers: The scorers by name.
        facts: Validation facts ``(n, 3)``, none of which is reported later.
        known: Facts whose answers are left out of the ranking: those of training and validation.
        side: The side that is asked for.
        sample: Most facts that are used, drawn at random.
        seed: Seed of the drawing.

    Raises:
        UserError: If there are no facts or no scorers.
    """
    if not len(facts) or not scorers:
        raise UserError("there are no validation facts to choose the weights on")
    if len(scorers) == 1:
        return dict.fromkeys(scorers, 1.0)
    facts = np.asarray(facts)
    if len(facts) > sample:
        kept = np.sort(np.random.default_rng(seed).choice(len(facts), sample, replace=False))
        facts = facts[kept]
    grid = weight_grid(len(scorers))
    sums = np.zeros(len(grid))
    lookup = Known(np.concatenate([np.asarray(known), facts]), side)
    for start in range(0, len(facts), BATCH):
        part = facts[start : start + BATCH]
        queries = queries_of(part, side)
        own = [standardised(scorer(queries, side)) for scorer in scorers.values()]
        for row, (answers, right) in enumerate(
            zip(lookup.answers(queries), part[:, columns(side)[1]].tolist(), strict=True)
        ):
            mixed = grid @ np.stack([scores[row] for scores in own])  # (weights, entities)
            best = mixed[:, right].copy()
            mixed[:, answers] = -np.inf
            above = (mixed > best[:, None]).sum(axis=1)
            same = (mixed == best[:, None]).sum(axis=1)
            sums += 1 / (1 + above + same / 2)
    # the highest score wins; of equal ones, the weights with most zeros
    order = np.lexsort((-(grid == 0).sum(axis=1), -sums.round(9)))
    return dict(zip(scorers, grid[order[0]].tolist(), strict=True))


def weight_grid(count: int, steps: int = STEPS) -> NDArray[np.float32]:
    """Return all weights in steps of a tenth that sum to 1, ``(n, count)``.

    Args:
        count: Number of weights.
        steps: Number of steps from 0 to 1.
    """
    if count == 1:
        return np.ones((1, 1), dtype=np.float32)
    rows = [
        (*row, steps - sum(row))
        for row in product(range(steps + 1), repeat=count - 1)
        if sum(row) <= steps
    ]
    return (np.array(rows) / steps).astype(np.float32)


def standardised(scores: Scores) -> Scores:
    """Return scores ``(q, entities)`` with mean 0 and deviation 1 in each row."""
    mean = scores.mean(axis=1, keepdims=True)
    deviation = scores.std(axis=1, keepdims=True)
    made: Scores = (scores - mean) / np.where(deviation > 0, deviation, 1)
    return made


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return vectors ``(n, dim)`` of length 1; a zero vector stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: NDArray[np.float32] = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return made
