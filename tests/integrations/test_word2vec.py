from __future__ import annotations

import sys

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.word2vec import node_vectors


def two_circles():
    """Walks that stay among even or among odd nodes; node 9 is in none."""
    draw = np.random.default_rng(0)
    walks = draw.integers(0, 4, size=(400, 8)).astype(np.int32) * 2 + np.arange(400)[:, None] % 2
    walks[:, 6:] = -1
    yield walks.astype(np.int32)


def test_nodes_that_walk_together_are_alike_and_a_seed_repeats():
    pytest.importorskip("gensim")
    given = {"dim": 8, "window": 3, "epochs": 5, "seed": 1}
    found = node_vectors(two_circles, 10, **given)
    assert found.shape == (10, 8) and (found[9] == 0).all() and (found[8] == 0).all()
    units = found[:8] / np.linalg.norm(found[:8], axis=1, keepdims=True)
    cosines = units @ units.T
    same = (np.arange(8)[:, None] - np.arange(8)) % 2 == 0
    assert cosines[same].mean() > cosines[~same].mean() + 0.1
    assert (node_vectors(two_circles, 10, **given) == found).all()


def test_without_gensim_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(UserError, match=r"xadapt\[match\]"):
        node_vectors(two_circles, 10)
