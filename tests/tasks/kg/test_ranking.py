from __future__ import annotations

import numpy as np
import pytest
from twin_graphs import family

from xadapt.tasks.kg.floors import frequency_ranks
from xadapt.tasks.kg.ranking import SIDES, Known, filtered_ranks, queries_of
from xadapt.tasks.kg.scorers import MostFrequent


def scorer(entities, seed=0, levels=0):
    """Scores that depend on the query; few levels give ties."""

    def score(queries, side):
        rows = []
        for entity, relation in queries.tolist():
            draw = np.random.default_rng([seed, entity, relation, side == "tail"])
            own = draw.normal(size=entities)
            rows.append(np.round(own) if levels else own)
        return np.array(rows, dtype=np.float32).reshape(-1, entities)

    return score


def slow(score, facts, known, side):
    ranks = []
    every = {tuple(fact) for fact in known.tolist()} | {tuple(fact) for fact in facts.tolist()}
    for head, relation, tail in facts.tolist():
        asked, right = (head, tail) if side == "tail" else (tail, head)
        own = score(np.array([[asked, relation]]), side)[0]
        rivals = [
            own[one] for one in range(len(own))
            if one != right
            and ((head, relation, one) if side == "tail" else (one, relation, tail)) not in every
        ]  # fmt: skip
        above = sum(rival > own[right] for rival in rivals)
        same = sum(rival == own[right] for rival in rivals)
        ranks.append(((1 + above) + (1 + above + same)) / 2)
    return ranks


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("levels", [0, 1])
@pytest.mark.parametrize("batch", [1, 3, 999])
def test_ranks_equal_slow_loops(side, levels, batch):
    graph = family()
    facts, score = graph.facts("test"), scorer(30, 1, levels)
    found = filtered_ranks(score, facts, graph.triples, side, batch)
    assert found.tolist() == slow(score, facts, graph.triples, side)


@pytest.mark.parametrize("side", SIDES)
def test_the_most_frequent_answer_equals_the_floor(side):
    graph = family()
    score = MostFrequent(graph.facts("train"), 30)
    found = filtered_ranks(score, graph.facts("test"), graph.triples, side)
    assert found.tolist() == frequency_ranks(graph, "test", side).tolist()


def test_a_constant_scorer_is_at_chance():
    facts = np.array([[0, 0, 1], [2, 0, 3]])
    ranks = filtered_ranks(lambda q, s: np.zeros((len(q), 9)), facts, facts, "tail")
    assert ranks.tolist() == [5, 5]


def test_a_known_rival_never_changes_a_rank():
    facts = np.array([[0, 0, 1]])
    rival = lambda q, s: np.array([[0, 5, 9, 0]], dtype=np.float32)  # noqa: E731
    assert filtered_ranks(rival, facts, facts, "tail").tolist() == [2]
    known = np.array([[0, 0, 2]])
    assert filtered_ranks(rival, facts, known, "tail").tolist() == [1]


def test_equal_facts_and_relations_beyond_the_known_ones():
    facts = np.array([[0, 7, 1], [0, 7, 1], [0, 7, 2]])
    ranks = filtered_ranks(scorer(4), facts, np.zeros((0, 3), int), "tail")
    assert ranks.tolist() == slow(scorer(4), facts, facts, "tail")
    answers = list(Known(np.array([[0, 1, 2]]), "tail").answers(np.array([[0, 1], [0, 9], [3, 0]])))
    assert [one.tolist() for one in answers] == [[2], [], []]
    assert queries_of(facts, "head").tolist() == [[1, 7], [1, 7], [2, 7]]
