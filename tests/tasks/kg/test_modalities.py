from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.tasks.kg.modalities import Modality, require_overlap, shares


def test_rows_have_length_one_or_are_missing():
    made = Modality.of(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[0.0, 2.0]]))
    assert made.left.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]
    assert made.right.tolist() == [[0, 1]] and made.left.dtype == np.float32
    assert made.has[0].tolist() == [True, False] and shares(made) == (0.5, 1.0)
    assert made.shape == (2, 1)


def test_what_stands_in_a_missing_row_is_not_read():
    left = np.array([[1.0, 0.0], [np.nan, np.inf]])
    made = Modality.of(left, left, (np.array([True, False]),) * 2)
    assert made.left.tolist() == [[1, 0], [0, 0]] == made.right.tolist()
    with pytest.raises(UserError, match="not finite"):
        Modality.of(left, left)
    with pytest.raises(UserError, match="have 2 numbers and those of the other 3"):
        Modality.of(left, np.ones((2, 3)))


def test_vectors_are_taken_away_on_a_copy():
    one = Modality.of(np.eye(2), np.eye(2))
    less = one.without(np.array([True, False]), np.array([False, False]))
    assert less.has[0].tolist() == [False, True] and less.has[1].all() and one.has[0].all()
    turned = one.chosen(np.array([1, 0]), np.array([0]))
    assert turned.left.tolist() == [[0, 1], [1, 0]] and turned.right.tolist() == [[1, 0]]


def test_nothing_to_compare_is_refused_in_one_line():
    there, none = np.eye(3), np.zeros((3, 3))
    require_overlap([Modality.of(none, none), Modality.of(there, there)])
    with pytest.raises(UserError) as fault:
        require_overlap([Modality.of(there, none), Modality.of(none, there)])
    assert "no modality has a vector on both sides" in str(fault.value)
    assert fault.value.where == "--modalities"
