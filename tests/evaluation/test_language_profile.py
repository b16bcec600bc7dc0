"""Numbers about vectors: slow twins, identities, and controls with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xadapt.evaluation import language_profile as measures


def made(n=30, dim=6, seed=0, near=0.3):
    """Vectors of texts, and of translations near them."""
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(n, dim))
    return texts.astype(np.float32), (texts + near * rng.normal(size=(n, dim))).astype(np.float32)


def cos(a, b):
    return float(np.dot(a, b)) / math.hypot(*a) / math.hypot(*b)


def test_retrieval_is_that_of_a_slow_loop():
    texts, pivots = made(near=0.8)
    wanted = []
    for i in range(30):
        there = max(range(30), key=lambda j: cos(texts[i], pivots[j])) == i
        back = max(range(30), key=lambda j: cos(texts[j], pivots[i])) == i
        wanted.append((there + back) / 2)
    found = measures.retrieved(texts, pivots)
    assert found.tolist() == wanted and 0 < found.mean() < 1


def test_lengths_of_vectors_change_nothing():
    texts, pivots = made()
    longer = texts * np.linspace(0.1, 9, 30)[:, None]
    assert np.array_equal(measures.retrieved(longer, pivots), measures.retrieved(texts, pivots))
    assert measures.kept(longer, texts) == pytest.approx(1)
    assert measures.order_kept(longer, texts) == pytest.approx(1)
    assert measures.similarities(longer, pivots).gap == pytest.approx(
        measures.similarities(texts, pivots).gap, abs=1e-6
    )


def test_what_is_kept():
    texts, pivots = made()
    assert measures.kept(-texts, texts) == pytest.approx(-1)
    assert measures.kept(texts, pivots) == pytest.approx(
        np.mean([cos(a, b) for a, b in zip(texts, pivots, strict=True)]), abs=1e-6
    )
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    turned = texts @ turn  # a rotation moves all vectors and keeps all similarities
    assert measures.kept(turned, texts) < 0.5
    assert measures.order_kept(turned, texts) == pytest.approx(1)
    other = made(seed=5)[0]
    assert abs(measures.order_kept(other, texts)) < 0.2


def test_order_kept_is_the_correlation_of_ranks():
    texts, pivots = made(n=7)
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    ranks = [np.argsort(np.argsort([cos(one[i], one[j]) for i, j in pairs]))
             for one in (texts, pivots)]  # fmt: skip
    wanted = np.corrcoef(*ranks)[0, 1]
    assert measures.order_kept(texts, pivots) == pytest.approx(wanted, abs=1e-9)


def test_own_language_first_is_that_of_a_slow_loop():
    texts, pivots = made(near=1.5)
    shares = []
    for own, other in ((texts, pivots), (pivots, texts)):
        first = [
            max(cos(own[i], own[j]) for j in range(30) if j != i)
            > max(cos(own[i], other[j]) for j in range(30))
            for i in range(30)
        ]
        shares.append(sum(first) / 30)
    assert measures.own_language_first(texts, pivots) == pytest.approx(sum(shares) / 2)
    assert 0 < sum(shares) < 2


def test_bias_has_known_ends():
    texts, pivots = made()
    assert measures.own_language_first(texts, texts.copy()) == 0
    shift = np.zeros(6)
    shift[0] = 50
    apart = measures.similarities(texts + shift, pivots - shift)
    assert measures.own_language_first(texts + shift, pivots - shift) == 1
    assert apart.gap == pytest.approx(2, abs=0.1) and apart.translations < -0.9


def test_similarities_are_those_of_slow_loops():
    texts, pivots = made(n=9)
    found = measures.similarities(texts, pivots)
    both = [(i, j) for i in range(9) for j in range(9) if i != j]
    assert found.translations == pytest.approx(
        np.mean([cos(texts[i], pivots[i]) for i in range(9)]), abs=1e-6
    )
    within = np.mean([cos(one[i], one[j]) for one in (texts, pivots) for i, j in both])
    across = np.mean([cos(texts[i], pivots[j]) for i, j in both])
    assert found.within == pytest.approx(within, abs=1e-6)
    assert found.across == pytest.approx(across, abs=1e-6)
    assert found.gap == pytest.approx(within - across, abs=1e-6)


def halves(vectors):
    return {name: np.arange(len(rows)) % 2 == 0 for name, rows in vectors.items()}


def test_languages_apart_are_told_and_equal_ones_are_not():
    texts, pivots = made(n=200, seed=3)
    shift = np.array([3.0, 0, 0, 0, 0, 0])
    apart = {"de": texts + shift, "en": pivots - shift, "sw": made(n=200, seed=4)[0]}
    found = measures.leakage(apart, halves(apart))
    assert found.accuracy > 0.85 and found.chance == pytest.approx(1 / 3)
    assert found.trained == found.tested == 300
    assert found.accuracy == pytest.approx(np.mean(list(found.recall.values())))
    alike = {name: made(n=400, seed=seed)[0] for seed, name in enumerate(("de", "en"))}
    assert measures.leakage(alike, halves(alike)).accuracy == pytest.approx(0.5, abs=0.1)


def test_each_language_counts_once_whatever_its_size():
    big, small = made(n=400, seed=1)[0], made(n=40, seed=2)[0]
    vectors = {"en": big, "de": small}
    found = measures.leakage(vectors, halves(vectors))
    assert found.accuracy == pytest.approx(0.5, abs=0.15) and found.tested == 220


def test_a_probe_needs_vectors_to_learn_from_and_to_test():
    texts, pivots = made()
    vectors = {"de": texts, "en": pivots}
    none, every = np.zeros(30, bool), np.ones(30, bool)
    assert measures.leakage(vectors, {"de": none, "en": none}) is None
    assert measures.leakage(vectors, {"de": halves(vectors)["de"], "en": every}) is None
    assert measures.leakage({"de": texts}, {"de": halves(vectors)["de"]}) is None


def test_a_zero_vector_breaks_nothing():
    texts, pivots = made()
    texts[3] = 0
    assert np.isfinite(measures.retrieved(texts, pivots)).all()
    assert math.isfinite(measures.similarities(texts, pivots).gap)
