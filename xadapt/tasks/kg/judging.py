"""Judge candidates of an entity by votes: facts that identify, orders without bias, majorities.

A voter that reads candidates in a list may prefer a place in the list. So it is asked several
times, and the candidates move: in a cyclic Latin square each candidate stands once at each
place. A candidate that more than half of the votes name is the answer; otherwise there is none.

Source: LLM-Align, https://arxiv.org/abs/2412.04690, sections on selection of attributes and
relations and on multi-round voting. Which formula selects is reconstructed from their description.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.tasks.kg.graph_names import relation_names
from xadapt.tasks.kg.name_vectors import EntityNames

Identify = Literal["functionality", "values"]
VALUES = 3
"""Values of one attribute or relation that a voter reads."""
CHARACTERS = 160
Key = tuple[str, ...]
"""An attribute by name, or a relation by id and direction."""


@dataclass(frozen=True)
class Fact:
    """What is known of an entity under one attribute or relation.

    Attributes:
        key: The attribute or relation.
        name: Its name for people.
        values: Its values, or the names of the entities at its other end.
    """

    key: Key
    name: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.values[:VALUES])
        more = len(self.values) - VALUES
        text = f"{self.name}: {shown}" + (f" and {more} more" if more > 0 else "")
        return text if len(text) <= CHARACTERS else text[: CHARACTERS - 3] + "..."


@dataclass(frozen=True)
class KeyCounts:
    """How a key is used in one graph.

    Attributes:
        facts: Number of facts.
        subjects: Number of different entities that have it.
        values: Number of different values.
    """

    facts: int
    subjects: int
    values: int

    def identifies(self, by: Identify) -> float:
        """Return how well a key tells entities apart, from 0 to 1.

        Args:
            by: ``functionality``: entities over facts, 1 where an entity has one value.
                ``values``: different values over facts, 1 where no two facts share a value.
        """
        return (self.subjects if by == "functionality" else self.values) / max(self.facts, 1)


class EntityFacts:
    """The attributes and relations of the entities of a graph, as a voter reads them.

    Args:
        graph: The graph, with names in one language.

    Raises:
        UserError: If the graph has no names, or names in several languages.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.names = EntityNames(graph)

    def name(self, entity: str) -> str:
        """Return the name of an entity; empty if it has none."""
        return self.names[self.graph.index[entity]]

    def attributes(self, entity: str) -> list[Fact]:
        """Return the attributes of an entity that have values."""
        found: dict[str, list[str]] = {}
        for name, value in self.graph.attributes.get(entity, ()):
            if value.strip():
                found.setdefault(name, []).append(" ".join(value.split()))
        return [Fact((name,), _readable(name), tuple(own)) for name, own in found.items()]

    def relations(self, entity: str) -> list[Fact]:
        """Return the relations of an entity to entities with names, in both directions."""
        found: dict[Key, list[str]] = {}
        labels: dict[Key, str] = {}
        for relation, other, forward in self._around(self.graph.index[entity]):
            name = self.names[other]
            if name:
                key = (self.graph.relations[relation], "of" if forward else "is of")
                found.setdefault(key, []).append(name)
                shown = self._relation_names[relation]
                labels[key] = shown if forward else f"is {shown} of"
        return [Fact(key, labels[key], tuple(own)) for key, own in found.items()]

    @cached_property
    def counts(self) -> Mapping[Key, KeyCounts]:
        """The counts of each attribute and relation."""
        seen: dict[Key, tuple[int, set[str], set[str]]] = {}
        for entity, pairs in self.graph.attributes.items():
            for name, value in pairs:
                if value.strip():
                    number, subjects, values = seen.get((name,), (0, set(), set()))
                    subjects.add(entity)
                    values.add(value)
                    seen[(name,)] = (number + 1, subjects, values)
        found = {key: KeyCounts(n, len(own), len(vals)) for key, (n, own, vals) in seen.items()}
        triples = self.graph.triples
        for relation in np.unique(triples[:, 1]).tolist():
            own = triples[triples[:, 1] == relation]
            heads, tails = len(np.unique(own[:, 0])), len(np.unique(own[:, 2]))
            name = self.graph.relations[relation]
            found[name, "of"] = KeyCounts(len(own), heads, tails)
            found[name, "is of"] = KeyCounts(len(own), tails, heads)
        return found

    @cached_property
    def _relation_names(self) -> list[str]:
        return relation_names(self.graph, self.names.lang)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        triples = self.graph.triples
        ends = np.concatenate([triples[:, 0], triples[:, 2]])
        order = np.argsort(ends, kind="stable")
        return ends[order], order

    def _around(self, entity: int) -> Iterator[tuple[int, int, bool]]:
        """Yield relation, other entity, and whether the entity is the head."""
        ends, order = self._ends
        start, stop = np.searchsorted(ends, [entity, entity + 1])
        count = len(self.graph.triples)
        for place in order[start:stop].tolist():
            head, relation, tail = self.graph.triples[place % count].tolist()
            forward = place < count
            yield relation, tail if forward else head, forward


def select_facts(
    facts: Sequence[Sequence[Fact]],
    counts: Sequence[Mapping[Key, KeyCounts]],
    most: int,
    by: Identify = "functionality",
) -> list[list[Fact]]:
    """Select the facts of an entity and its candidates that identify best.

    A key counts ``identifies * share``: how well it tells entities of its graph apart, times the
    share of these entities that have it.

    Args:
        facts: The facts of the entity, and of each candidate.
        counts: For each of them, the counts of its graph.
        most: Facts of each entity that are kept.
        by: What tells entities apart.

    Returns:
        The facts that are kept, the best first.
    """
    having = Counter(fact.key for own in facts for fact in {f.key: f for f in own}.values())
    made = []
    for own, known in zip(facts, counts, strict=True):
        scored = [
            (known[fact.key].identifies(by) * having[fact.key] / len(facts), fact) for fact in own
        ]
        scored.sort(key=lambda one: (-one[0], one[1].key))
        made.append([fact for _, fact in scored[:most]])
    return made


def latin_orders(candidates: int, rounds: int, seed: str) -> list[list[int]]:
    """Return the order of candidates in each round.

    The first order is drawn. Later ones are rotations of it, at equal distances, so that each
    candidate stands at each place equally often if the rounds are as many as the candidates.

    Args:
        candidates: Number of candidates.
        rounds: Number of rounds.
        seed: What the first order follows from, such as the id of the entity.

    Returns:
        For each round, the candidates in the order of the list.
    """
    first = list(range(candidates))
    random.Random(f"latin {seed}").shuffle(first)
    shifts = [number * candidates // rounds for number in range(rounds)]
    return [first[shift:] + first[:shift] for shift in shifts]


def majority(votes: Sequence[int | None], rounds: int) -> int | None:
    """Return the candidate that more than half of the rounds chose; else ``None``.

    Args:
        votes: The choice of each round so far; ``None`` for no candidate or no valid answer.
        rounds: Number of all rounds.
    """
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return None
    choice, count = counts.most_common(1)[0]
    return choice if 2 * count > rounds else None


def is_decided(votes: Sequence[int | None], rounds: int) -> bool:
    """Return whether the rounds that are left can't change `majority`.

    Args:
        votes: The choice of each round so far.
        rounds: Number of all rounds.
    """
    if majority(votes, rounds) is not None:
        return True
    counts = Counter(vote for vote in votes if vote is not None)
    left = rounds - len(votes)
    return 2 * (max(counts.values(), default=0) + left) <= rounds


def _readable(name: str) -> str:
    """Return the last part of an address, with spaces."""
    last = name.rstrip("/>#").rpartition("/")[2].rpartition("#")[2]
    return (last or name).replace("_", " ")
