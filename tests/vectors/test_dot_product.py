from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.vectors.dot_product import top_by_dot

QUERIES = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
POOL = np.array([[1, 0], [3, 1], [3, 5], [0, 5], [3, 0]], np.float32)


@pytest.mark.parametrize("block", [1, 2, 100])
def test_long_vectors_win_and_the_first_of_equals_comes_first(block):
    found = top_by_dot(QUERIES, POOL, 3, block)
    assert found.indices.tolist() == [[1, 2, 4], [2, 3, 1]]
    assert found.scores.tolist() == [[3, 3, 3], [5, 5, 1]]


def test_k_is_cut_and_wrong_shapes_are_refused():
    assert top_by_dot(QUERIES, POOL, 99).indices.shape == (2, 5)
    with pytest.raises(UserError, match="at least 1"):
        top_by_dot(QUERIES, POOL, 0)
    with pytest.raises(UserError, match="dimensions"):
        top_by_dot(np.zeros((1, 3), np.float32), POOL, 1)
