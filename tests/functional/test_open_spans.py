from __future__ import annotations

import random

import pytest

from xadapt.functional.open_spans import candidates, without_overlap


def test_spans_end_where_they_become_too_long():
    assert candidates([1, 2, 4, 9], 3) == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (3, 3)]
    assert candidates([1, 2, 4, 9], 4) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (3, 3)]
    assert candidates([], 5) == [] and candidates([7], 1) == [(0, 0)]


def test_the_widest_span_is_one_less_than_the_limit():
    """A width of ``longest - 1`` is the last row of the embedding of widths."""
    places = list(range(10, 60))
    widths = [places[last] - places[first] for first, last in candidates(places, 30)]
    assert max(widths) == 29 and min(widths) == 0


def test_the_best_spans_are_kept_without_overlap():
    scored = [(0.9, (0, 2, "a")), (0.8, (1, 3, "b")), (0.7, (2, 3, "b")), (0.4, (5, 6, "a"))]
    assert without_overlap(scored, 0.5) == ((0, 2, "a"), (2, 3, "b"))
    assert without_overlap(scored, 0.3) == ((0, 2, "a"), (2, 3, "b"), (5, 6, "a"))
    assert without_overlap(scored, 0.95) == () == without_overlap([], 0.1)
    assert without_overlap([(0.5, (0, 1, "a"))], 0.5) == ((0, 1, "a"),)


def test_one_span_has_one_label_and_the_order_of_input_does_not_matter():
    scored = [(0.6, (0, 1, "b")), (0.6, (0, 1, "a")), (0.6, (1, 2, "b"))]
    for seed in range(6):
        mixed = random.Random(seed).sample(scored, 3)
        assert without_overlap(mixed, 0.5) == ((0, 1, "a"), (1, 2, "b"))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_never_overlaps(seed):
    rng = random.Random(seed)
    scored = [(rng.random(), (a, a + rng.randint(1, 4), rng.choice("xy")))
              for a in rng.choices(range(12), k=30)]  # fmt: skip
    kept = without_overlap(scored, 0.2)
    words = [word for start, stop, _ in kept for word in range(start, stop)]
    assert len(words) == len(set(words)) and set(kept) <= {span for _, span in scored}
    best = max(scored)
    assert best[0] < 0.2 or best[1] in kept
