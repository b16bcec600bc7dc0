from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from xadapt.functional.random_walks import random_walks

EDGES = [(0, 1), (1, 2), (2, 0), (2, 3), (1, 0), (0, 2), (3, 2)]
GRAPH = csr_matrix((np.ones(len(EDGES)), tuple(zip(*EDGES, strict=True))), shape=(6, 6))


def walked(starts, length=5, seed=0, **more):
    return np.concatenate(list(random_walks(GRAPH, np.array(starts), length, seed, **more)))


def test_every_step_is_an_edge_and_walks_begin_at_their_starts():
    starts = np.arange(500) % 4
    found = walked(starts)
    assert found.shape == (500, 5) and (found[:, 0] == starts).all()
    steps = {(a, b) for row in found.tolist() for a, b in pairwise(row)}
    assert steps <= set(EDGES) and {(2, 0), (2, 3)} <= steps


def test_neighbours_are_equally_probable():
    found = walked([2] * 4000, 2)[:, 1]
    share = np.mean(found == 3)
    assert share == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 4000)) and set(found) == {0, 3}


def test_a_node_without_neighbours_ends_its_walk():
    assert walked([4, 0], 3)[0].tolist() == [4, -1, -1]


def test_seed_and_workers():
    starts = np.arange(90) % 4
    one = walked(starts, block=20)
    assert (walked(starts, block=20, workers=3) == one).all()
    assert (walked(starts, block=20) == one).all() and (
        walked(starts, seed=1, block=20) != one
    ).any()
    assert len(list(random_walks(GRAPH, starts, 3, block=20))) == 5
