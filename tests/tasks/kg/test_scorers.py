from __future__ import annotations

import zlib

import numpy as np
import pytest
from twin_graphs import family

from xadapt.core.errors import UserError
from xadapt.tasks.kg.ranking import filtered_ranks
from xadapt.tasks.kg.scorers import (
    ByNames,
    MostFrequent,
    Weighted,
    choose_weights,
    standardised,
    unit,
    weight_grid,
)

NAMES = ["Berlin", "Germany", "", "Paris", "France"]
RELATIONS = ["capital of", ""]


def encode(texts):
    return np.array([np.random.default_rng(zlib.crc32(t.encode())).normal(size=8) for t in texts])


def cosine(a, b):
    return float(unit(encode([a]))[0] @ unit(encode([b]))[0])


def test_phrases_of_both_sides():
    score = ByNames(encode, NAMES, RELATIONS)
    queries = np.array([[0, 0], [1, 0], [0, 1], [0, 0]])
    tails, heads = score(queries, "tail"), score(queries, "head")
    assert tails.shape == heads.shape == (4, 5)
    assert tails[0, 1] == pytest.approx(cosine("Berlin capital of", "Germany"), abs=1e-6)
    assert tails[2, 3] == pytest.approx(cosine("Berlin", "Paris"), abs=1e-6)
    assert heads[1, 0] == pytest.approx(cosine("capital of Germany", "Berlin"), abs=1e-6)
    assert (tails[:, 2] == 0).all() and (tails[0] == tails[3]).all()
    with pytest.raises(UserError, match="no entity has a name"):
        ByNames(encode, ["", ""], RELATIONS)


def test_names_and_phrases_may_have_encoders_of_their_own():
    score = ByNames(encode, NAMES, RELATIONS, lambda texts: -encode(texts))
    plain = ByNames(encode, NAMES, RELATIONS)
    asked = np.array([[0, 0]])
    assert score(asked, "tail") == pytest.approx(-plain(asked, "tail"), abs=1e-6)


def test_the_most_frequent_by_hand():
    facts = np.array([[0, 0, 1], [2, 0, 1], [3, 0, 4], [0, 1, 4]])
    score = MostFrequent(facts, 5)
    asked = np.array([[9, 0], [9, 1], [9, 7]])
    assert score(asked, "tail").tolist() == [[0, 2, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5]
    assert score(asked, "head")[0].tolist() == [1, 0, 1, 1, 0]


def test_a_sum_is_in_units_of_deviation():
    big = lambda q, s: np.array([[0, 1000, 0, 0]], np.float32)  # noqa: E731
    small = lambda q, s: np.array([[0, 0, 0.001, 0]], np.float32)  # noqa: E731
    flat = lambda q, s: np.ones((1, 4), np.float32)  # noqa: E731
    both = Weighted({"a": big, "b": small, "c": flat}, {"tail": {"a": 1, "b": 1, "c": 1}})
    row = both(np.array([[0, 0]]), "tail")[0]
    assert row[1] == pytest.approx(row[2], abs=1e-5) and row[0] == pytest.approx(row[3])
    rows = standardised(np.random.default_rng(0).normal(3, 7, size=(4, 50)).astype(np.float32))
    assert rows.mean(axis=1) == pytest.approx(0, abs=1e-5)
    assert rows.std(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_scorer_without_weight_is_not_asked():
    def never(queries, side):
        raise AssertionError

    mixed = Weighted({"a": never, "b": lambda q, s: np.eye(2, dtype=np.float32)},
                     {"tail": {"a": 0, "b": 1}, "head": {"a": 0, "b": 0}})  # fmt: skip
    assert mixed(np.array([[0, 0], [1, 0]]), "tail").argmax(1).tolist() == [0, 1]
    with pytest.raises(UserError, match="all weights are 0"):
        mixed(np.array([[0, 0]]), "head")


def oracle(facts, noise, entities, seed):
    """Scores that know the answers, behind noise."""

    def score(queries, side):
        rows = np.stack([
            np.random.default_rng([seed, *query, side == "tail"]).normal(0, noise, entities)
            for query in queries.tolist()
        ])  # fmt: skip
        asked, answer = (0, 2) if side == "tail" else (2, 0)
        for row, (entity, relation) in enumerate(queries.tolist()):
            right = (facts[:, asked] == entity) & (facts[:, 1] == relation)
            rows[row, facts[right, answer]] += 1
        return rows.astype(np.float32)

    return score


def test_weights_go_to_the_scorer_that_knows():
    graph = family()
    dev, known = graph.facts("dev"), graph.triples
    scorers = {"knows": oracle(graph.triples, 0.4, 30, 0), "noise": oracle(dev[:0], 1, 30, 1)}
    found = choose_weights(scorers, dev, known, "tail")
    assert found["knows"] > found["noise"] and sum(found.values()) == pytest.approx(1)
    halves = {key: oracle(graph.triples, 1.2, 30, seed) for key, seed in (("a", 4), ("b", 7))}
    mixed = Weighted(halves, {"tail": choose_weights(halves, dev, known, "tail")})
    mrr = {
        key: (1 / filtered_ranks(one, dev, known, "tail")).mean()
        for key, one in {**halves, "both": mixed}.items()
    }
    assert mrr["both"] >= max(mrr["a"], mrr["b"])


def test_the_choice_is_the_best_of_the_grid():
    graph = family()
    dev, known = graph.facts("dev"), graph.triples
    scorers = {key: oracle(graph.triples, 1.0, 30, n) for n, key in enumerate("abc")}
    found = choose_weights(scorers, dev, known, "head")

    def mrr(weights):
        mixed = Weighted(scorers, {"head": dict(zip("abc", weights, strict=True))})
        return (1 / filtered_ranks(mixed, dev, known, "head")).mean()

    best = max(mrr(row) for row in weight_grid(3).tolist())
    assert mrr(found.values()) == pytest.approx(best, abs=1e-6)


def test_the_grid_and_refusals():
    grid = weight_grid(3)
    assert grid.shape == (66, 3) and grid.sum(axis=1) == pytest.approx(1)
    assert len({tuple(row) for row in grid.round(3).tolist()}) == 66
    assert weight_grid(1).tolist() == [[1]]
    one = {"a": oracle(family().triples, 1, 30, 0)}
    assert choose_weights(one, family().facts("dev"), family().triples, "tail") == {"a": 1}
    with pytest.raises(UserError, match="no validation facts"):
        choose_weights(one, family().triples[:0], family().triples, "tail")
