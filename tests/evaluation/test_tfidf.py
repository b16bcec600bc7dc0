from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.evaluation.tfidf import similarity

LEFT = ["Berlin ist schön", "Guten Tag", "a", "日本 語"]
RIGHT = ["Berlin is nice", "good day", "A a", "日本", "Guten Tag"]


def grams(text):
    counts = Counter()
    for word in text.lower().split():
        padded = f" {word} "
        for size in (2, 3, 4):
            counts.update(padded[i : i + size] for i in range(len(padded) - size + 1))
    return counts


def slow_similarity(left, right):
    bags = [grams(text) for text in (*left, *right)]
    known = Counter(gram for bag in bags for gram in bag)
    rows = []
    for bag in bags:
        row = {g: c * (math.log((1 + len(bags)) / (1 + known[g])) + 1) for g, c in bag.items()}
        length = math.sqrt(sum(value * value for value in row.values()))
        rows.append({g: value / length for g, value in row.items()})
    dot = lambda x, y: sum(value * y.get(g, 0) for g, value in x.items())  # noqa: E731
    return [[dot(x, y) for y in rows[len(left) :]] for x in rows[: len(left)]]


def test_equals_the_formula_written_out():
    found = similarity(LEFT, RIGHT)
    expected = slow_similarity(LEFT, RIGHT)
    assert found.shape == (4, 5)
    np.testing.assert_allclose(found.rows(0, 4).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(found.rows(1, 3).numpy(), expected[1:3], atol=1e-6)
    np.testing.assert_allclose(found.swapped().rows(0, 5).numpy().T, expected, atol=1e-6)
    assert expected[1][4] == pytest.approx(1)


def test_a_text_without_grams_is_far_from_all():
    assert similarity(["", "x"], ["x", "y"]).rows(0, 2).tolist() == [[0, 0], [pytest.approx(1), 0]]


@pytest.mark.parametrize(("left", "right"), [([], ["a"]), (["a"], []), (["", " "], [""])])
def test_nothing_to_compare_is_refused(left, right):
    with pytest.raises(UserError):
        similarity(left, right)
