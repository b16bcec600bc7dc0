from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from xadapt.functional.linear_probe import LinearProbe

DRAW = np.random.default_rng(0)
STATES = DRAW.normal(3, 2, (60, 5))
LABELS = [str(label) for label in DRAW.choice(list("abc"), 60)]


def test_it_is_ridge_regression_of_standardised_features():
    probe = LinearProbe.fit(STATES, LABELS, ridge=0.1)
    made = (STATES - STATES.mean(0)) / STATES.std(0)
    right = np.array([[label == one for one in "abc"] for label in LABELS], float)
    wanted = Ridge(alpha=0.1 * 60).fit(made, right).predict(made)
    assert probe.labels == ("a", "b", "c")
    np.testing.assert_allclose(probe.scores(STATES), wanted, atol=1e-9)
    np.testing.assert_allclose(probe.scores(STATES).sum(1), 1)  # as the targets do


def test_what_is_linear_is_learnt_and_scales_do_not_matter():
    labels = ["up" if row[1] > 3 else "down" for row in STATES]
    probe = LinearProbe.fit(STATES, labels)
    assert np.mean([a == b for a, b in zip(probe.predict(STATES), labels, strict=True)]) > 0.9
    scaled = STATES * [1, 1000, 1, 0.001, 1] + 7
    again = LinearProbe.fit(scaled, labels)
    np.testing.assert_allclose(again.scores(scaled), probe.scores(STATES), atol=1e-8)


def test_constant_features_and_one_label_are_no_fault():
    states = np.concatenate([STATES, np.full((60, 1), 4.0)], axis=1)
    probe = LinearProbe.fit(states, LABELS)
    assert not probe.weight[5].any()
    np.testing.assert_allclose(probe.scores(states), LinearProbe.fit(STATES, LABELS).scores(STATES))
    assert set(LinearProbe.fit(STATES[:1], ["x"]).predict(STATES)) == {"x"}


def test_labels_are_one_a_state():
    for states, labels in ((STATES, LABELS[:3]), (STATES[:0], [])):
        with pytest.raises(ValueError, match="labels for"):
            LinearProbe.fit(states, labels)
