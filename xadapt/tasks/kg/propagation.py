"""An encoder of structure without parameters: labels of linked entities flow along the facts.

Each training link gets one random vector, which both its entities carry. The vectors flow to the
neighbours, hop by hop, and to the relations and back. Entities that are reached by the same links
in the same ways so get near vectors, in whichever graph they are. Nothing is trained, so that two
graphs with 20,000 entities each take a second.

Source: Mao et al. 2022, LightEA, https://arxiv.org/abs/2210.10436, section 4 (labels that are
nearly orthogonal; views of entities and relations). Here facts are weighted by the rarity of their
relation, and answers come by CSLS, in place of Sinkhorn's iterations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xadapt.core.errors import UserError
from xadapt.functional import metrics
from xadapt.tasks.kg.two_graphs import Pairs, TwoGraphs
from xadapt.vectors import matching
from xadapt.vectors.search.nearest import both_ways
from xadapt.vectors.search.sweep import Options

Vectors = NDArray[np.float32]
HELD_OUT = 0.1
HALF = Options(half=True)
LEAST = 10
"""The least number of links that can be cut to choose the rounds on."""


@dataclass(frozen=True)
class Propagation:
    """Options of the encoder.

    Attributes:
        dim: Numbers of a label.
        hops: Steps along the facts. The vectors of all steps stand side by side, so that a vector
            has ``dim * hops`` numbers.
        rounds: Most rounds of self-training: entities without a link that are mutual nearest by
            CSLS count as linked in the next round. The number of rounds is chosen on a tenth of
            the training links.
        csls: Neighbours of CSLS in self-training.
        seed: Seed of the labels and of the links that are held out.
    """

    dim: int = 256
    hops: int = 2
    rounds: int = 4
    csls: int = 10
    seed: int = 0


DEFAULT = Propagation()


@dataclass(frozen=True)
class Fitted:
    """Vectors of the entities of two graphs by their structure.

    Attributes:
        left: ``(left entities, width)``, of length 1; zero for an entity that no label reaches.
        right: ``(right entities, width)``.
        rounds: The chosen number of rounds.
        held_out: Hits@1 on held-out links after each round, from round 0.
        links: Number of links whose labels were used.
        guessed: Number of pairs without a link that were used as if linked.
    """

    left: Vectors
    right: Vectors
    rounds: int
    held_out: tuple[float, ...]
    links: int
    guessed: int


def fit(
    graphs: TwoGraphs,
    links: Pairs,
    options: Propagation = DEFAULT,
    report: Callable[[str], None] = lambda _: None,
) -> Fitted:
    """Encode the structure of two graphs that are joined by some links and nothing else.

    Args:
        graphs: The facts.
        links: Training links. Test links must not be among them.
        options: See `Propagation`.
        report: Receives a line after each round.

    Raises:
        UserError: If there are no links, or an option is out of range.
    """
    _require(options, links)
    held = max(int(len(links) * HELD_OUT), LEAST)
    scores: list[float] = []
    guesses = [links[:0]]
    if options.rounds and len(links) >= 2 * held:
        order = np.random.default_rng(options.seed).permutation(len(links))
        dev, kept = links[order[:held]], links[order[held:]]
        for number in range(options.rounds + 1):
            left, right = propagate(graphs, np.concatenate([kept, guesses[-1]]), options)
            scores.append(hits(left, right, dev))
            report(f"round {number}: Hits@1 {scores[-1]:.3f} on {held} held-out links")
            if number == options.rounds or scores[-1] < max(scores):
                break
            guesses.append(guess(left, right, kept, options.csls))
    rounds = int(np.argmax(scores)) if scores else 0
    known = [np.isin(guesses[rounds][:, side], links[:, side]) for side in (0, 1)]
    guessed = guesses[rounds][~(known[0] | known[1])]
    left, right = propagate(graphs, np.concatenate([links, guessed]), options)
    return Fitted(left, right, rounds, tuple(scores), len(links), len(guessed))


def propagate(graphs: TwoGraphs, links: Pairs, options: Propagation) -> tuple[Vectors, Vectors]:
    """Let the labels of links flow: vectors of the left and of the right entities.

    With A the facts between entities and B those between entities and relations, each weighted by
    log(facts / facts of the relation), a step is ``E' = unit(A E + B R)`` and ``R' = unit(B^T E)``,
    where heads and tails of a relation have vectors of their own.

    Args:
        graphs: The facts.
        links: The links.
        options: See `Propagation`.
    """
    head, relation, tail = graphs.triples.T
    count = np.bincount(relation, minlength=graphs.relations)
    rarity = np.log(len(relation) / np.maximum(count, 1)).astype(np.float32)
    weight = np.tile(np.maximum(rarity, 1e-3)[relation], 2)
    one, other = np.concatenate([head, tail]), np.concatenate([tail, head])
    size = graphs.entities
    between = csr_array((weight, (one, other)), shape=(size, size))
    role = np.concatenate([relation, relation + graphs.relations])
    by_role = csr_array((weight, (one, role)), shape=(size, 2 * graphs.relations))
    entities = _labels(graphs, links, options)
    roles: Vectors | None = None
    found = np.empty((size, options.hops * options.dim), dtype=np.float32)
    for hop in range(options.hops):
        reached = between @ entities
        if roles is not None:
            reached += by_role @ roles
        if hop + 1 < options.hops:
            roles = _unit(by_role.T @ entities)
        entities = _unit(reached)
        found[:, hop * options.dim : (hop + 1) * options.dim] = entities
    found = _unit(found)
    return found[: graphs.left], found[graphs.left :]


def guess(left: Vectors, right: Vectors, links: Pairs, csls: int) -> Pairs:
    """Return pairs of entities without a link that are mutual nearest by CSLS.

    Args:
        left: ``(n, width)``.
        right: ``(m, width)``.
        links: The known links.
        csls: Neighbours of CSLS.
    """
    free = [
        np.setdiff1d(np.flatnonzero(side.any(axis=1)), links[:, column])
        for column, side in enumerate((left, right))
    ]
    if not all(map(len, free)):
        return links[:0]
    k = min(csls, *map(len, free))
    forward, backward = both_ways(left[free[0]], right[free[1]], 1, csls=k, options=HALF)
    pairs = matching.mutual(forward, backward)
    return np.stack([free[0][pairs[:, 0]], free[1][pairs[:, 1]]], axis=1)


def hits(left: Vectors, right: Vectors, links: Pairs) -> float:
    """Compute Hits@1 of links among all entities, the mean of both directions."""
    found = []
    for asked, pool, own, other in ((left, right, 0, 1), (right, left, 1, 0)):
        scores = matching.cosine(asked[links[:, own]], pool)
        rank = metrics.ranks(scores, links[:, other], np.arange(len(pool)))
        found.append(metrics.hits(rank, 1).mean())
    return float(np.mean(found))


def _labels(graphs: TwoGraphs, links: Pairs, options: Propagation) -> Vectors:
    """Return the labels of the linked entities; an entity of several links has their sum."""
    drawn = np.random.default_rng(options.seed).normal(size=(len(links), options.dim))
    labels = np.zeros((graphs.entities, options.dim), dtype=np.float32)
    for column, start in ((0, 0), (1, graphs.left)):
        np.add.at(labels, links[:, column] + start, drawn.astype(np.float32))
    return _unit(labels)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: Vectors = np.divide(vectors, np.where(lengths > 0, lengths, 1), dtype=np.float32)
    return made


def _require(options: Propagation, links: Pairs) -> None:
    if not len(links):
        raise UserError("there is no training link that joins the graphs")
    for name, least in (("dim", 8), ("hops", 1), ("rounds", 0), ("csls", 1)):
        value = getattr(options, name)
        if value < least:
            raise UserError(f"{name} is {value}; the least is {least}", where=f"--{name}")
