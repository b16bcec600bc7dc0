from __future__ import annotations

import numpy as np
import pytest
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.tasks.kg.propagation import Propagation, fit, guess, hits, propagate
from xadapt.tasks.kg.two_graphs import TwoGraphs, positions

SMALL = Propagation(dim=64, rounds=2)


def parts(left, right, links):
    return [positions(links.of(part), left, right) for part in ("train", "dev", "test")]


def slow(graphs, links, options):
    """The same steps by loops over facts."""
    drawn = np.random.default_rng(options.seed).normal(size=(len(links), options.dim))
    entities = np.zeros((graphs.entities, options.dim))
    for label, (a, b) in zip(drawn.astype(np.float32), links, strict=True):
        entities[a] += label
        entities[graphs.left + b] += label
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)  # noqa: E731
    entities = unit(entities)
    count = np.bincount(graphs.triples[:, 1], minlength=graphs.relations)
    roles, found = None, []
    for _ in range(options.hops):
        reached = np.zeros_like(entities)
        new = np.zeros((2 * graphs.relations, options.dim))
        for head, relation, tail in graphs.triples.tolist():
            weight = max(np.log(len(graphs.triples) / count[relation]), 1e-3)
            for one, other, role in ((head, tail, relation),
                                     (tail, head, relation + graphs.relations)):  # fmt: skip
                reached[one] += weight * entities[other]
                new[role] += weight * entities[one]
                if roles is not None:
                    reached[one] += weight * roles[role]
        entities, roles = unit(reached), unit(new)
        found.append(entities)
    return unit(np.concatenate(found, axis=1))


def test_it_equals_slow_loops():
    left, right, links = twins(30, 90)
    graphs = TwoGraphs.of(left, right)
    train, *_ = parts(left, right, links)
    options = Propagation(dim=16, hops=3)
    found = np.concatenate(propagate(graphs, train, options))
    assert found == pytest.approx(slow(graphs, train, options), abs=1e-5)


def test_the_same_world_is_found_again_and_another_world_is_not():
    left, right, links = twins(80, 500)
    train, _, test = parts(left, right, links)
    fitted = fit(TwoGraphs.of(left, right), train, SMALL)
    assert hits(fitted.left, fitted.right, test) > 0.7
    assert np.linalg.norm(fitted.left, axis=1) == pytest.approx(1, abs=1e-5)
    other_left, other_right, links = twins(80, 500, alike=False)
    control = fit(TwoGraphs.of(other_left, other_right), train, SMALL)
    assert hits(control.left, control.right, test) < 0.1


def test_a_leak_of_test_links_is_seen():
    """The measure can tell: with test links among the training links it is far higher."""
    left, right, links = twins(120, 400, kept=0.6)
    train, _, test = parts(left, right, links)
    graphs = TwoGraphs.of(left, right)
    honest = hits(*propagate(graphs, train, SMALL), test)
    leaking = hits(*propagate(graphs, np.concatenate([train, test]), SMALL), test)
    assert honest + 0.1 < leaking


def test_test_links_change_nothing():
    """What is fitted depends on the training links alone, whatever the test links are."""
    left, right, links = twins()
    train, *_ = parts(left, right, links)
    graphs = TwoGraphs.of(left, right)
    once, again = fit(graphs, train, SMALL), fit(graphs, train.copy(), SMALL)
    assert (once.left == again.left).all() and (once.right == again.right).all()
    shuffled = train.copy()
    shuffled[:, 1] = np.roll(shuffled[:, 1], 1)
    wrong = fit(graphs, shuffled, SMALL)
    test = positions(links.of("test"), left, right)
    assert hits(wrong.left, wrong.right, test) < hits(once.left, once.right, test) - 0.2


def test_guesses_are_pairs_of_free_entities():
    left, right, links = twins(80, 500)
    train, *_ = parts(left, right, links)
    vectors = propagate(TwoGraphs.of(left, right), train, SMALL)
    pairs = guess(*vectors, train, 10)
    assert len(pairs) > 10
    for side in (0, 1):
        assert not set(pairs[:, side]) & set(train[:, side])
        assert len(set(pairs[:, side])) == len(pairs)
    everything = np.stack([np.arange(80), np.arange(80)], axis=1)
    assert len(guess(*vectors, everything, 10)) == 0


def test_the_rounds_are_chosen_on_held_out_links_and_told():
    left, right, links = twins(120, 700)
    train, *_ = parts(left, right, links)
    told = []
    fitted = fit(TwoGraphs.of(left, right), train, SMALL, told.append)
    assert len(told) == len(fitted.held_out) >= 2
    assert fitted.rounds == int(np.argmax(fitted.held_out))
    assert (fitted.guessed > 0) == (fitted.rounds > 0) and fitted.links == len(train)
    assert fit(TwoGraphs.of(left, right), train, Propagation(dim=16, rounds=0)).held_out == ()


def test_an_entity_that_no_label_reaches_is_zero():
    left, right, links = twins(30, 60)
    graphs = TwoGraphs.of(left, right)
    alone = TwoGraphs(graphs.left, graphs.right, graphs.triples[:3], graphs.relations)
    train, *_ = parts(left, right, links)
    vectors = np.concatenate(propagate(alone, train, SMALL))
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.isfinite(vectors).all() and (lengths == 0).any()
    assert lengths[lengths > 0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["dim", "hops", "rounds", "csls"])
def test_options_out_of_range_are_refused(name):
    left, right, links = twins()
    train, *_ = parts(left, right, links)
    with pytest.raises(UserError, match=f"{name} is -1"):
        fit(TwoGraphs.of(left, right), train, Propagation(**{name: -1}))
    with pytest.raises(UserError, match="no training link"):
        fit(TwoGraphs.of(left, right), train[:0], SMALL)
