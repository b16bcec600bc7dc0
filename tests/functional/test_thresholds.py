from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from xadapt.functional.thresholds import best_threshold, choose_thresholds


def test_the_best_threshold_by_hand():
    found = np.array([0.9, 0.4, 0.3, 0.2], np.float32)
    gold = np.array([True, False, True, False])
    # from .9 on: P 1, R 1/2, F1 2/3; from .4 on: 1/2; from .3 on: P 2/3, R 1, F1 4/5; all: 2/3
    assert best_threshold(found, gold) == pytest.approx(0.25)
    assert best_threshold(found, np.array([True, False, False, False])) == pytest.approx(0.65)
    assert best_threshold(found, np.zeros(4, bool)) == 0.5
    assert best_threshold(found, np.ones(4, bool)) == pytest.approx(0.1)


def test_equal_probabilities_go_together_and_equal_scores_take_the_nearest_to_a_half():
    found = np.array([0.6, 0.6, 0.1], np.float32)
    assert best_threshold(found, np.array([True, False, False])) == pytest.approx(0.35)
    found = np.array([0.9, 0.6, 0.5, 0.4], np.float32)  # one right of two, or two right of four
    gold = np.array([True, False, False, True])
    f1 = [f1_score(gold, found >= t) for t in (0.75, 0.55, 0.45, 0.2)]
    assert f1[0] == pytest.approx(f1[3]) == max(f1)
    assert best_threshold(found, gold) == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(20))
def test_no_other_threshold_is_better(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 30))
    found = rng.integers(0, 8, size).astype(np.float32) / 7
    gold = rng.random(size) < 0.4
    best = best_threshold(found, gold)
    own = f1_score(gold, found >= best, zero_division=0)
    every = [f1_score(gold, found >= t, zero_division=0) for t in np.unique(found)]
    assert 0 <= best <= 1 and own == pytest.approx(max(every))


def test_one_for_all_labels_or_one_for_each():
    found = np.array([[0.9, 0.3], [0.8, 0.1]], np.float32)
    gold = np.array([[True, True], [False, False]])
    assert choose_thresholds(found, gold, "per_label") == pytest.approx([0.85, 0.2])
    one = choose_thresholds(found, gold, "one")
    assert one[0] == one[1] == best_threshold(found.reshape(-1), gold.reshape(-1))
