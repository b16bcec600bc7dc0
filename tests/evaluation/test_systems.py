from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.evaluation.systems import Encoded, System, pivot_kept, similarities


class Counting:
    """An encoder of text lengths that notes what it was asked."""

    def __init__(self, turn=0.0):
        self.turn, self.asked = turn, []

    def __call__(self, texts):
        self.asked.append(list(texts))
        angle = np.array([len(text) for text in texts]) + self.turn
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_each_callable_runs_once_a_side_and_over_distinct_texts():
    base, module = Counting(), Counting(1.0)
    encoded = Encoded(["a", "bb", "a"], ["ccc", "d", "d"])
    systems = {
        "base": System(base, base),
        "language": System(module, base),
        "both": System(module),
    }
    scores = similarities(encoded, systems, control=True)
    assert base.asked == [["a", "bb"], ["ccc", "d"]]
    assert module.asked == [["a", "bb"], ["ccc", "d"]]
    assert list(scores) == ["base", "language", "both", "tf-idf"]
    expected = np.cos(np.array([[2, 0, 0], [1, 1, 1], [2, 0, 0]]))
    np.testing.assert_allclose(scores["base"].rows(0, 3).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(scores["both"].rows(0, 3).numpy(), expected, atol=1e-6)
    turned = np.cos(np.array([[1, 1, 1], [0, 2, 2], [1, 1, 1]]))
    np.testing.assert_allclose(scores["language"].rows(0, 3).numpy(), turned, atol=1e-6)


def test_a_callable_that_can_not_be_hashed_is_welcome():
    @dataclass
    class Side:
        width: int

        def __call__(self, texts):
            return np.ones((len(texts), self.width), dtype=np.float32)

    score = Encoded(["a"], ["b"]).similarity(System(Side(3)))
    assert score.rows(0, 1).tolist() == [[pytest.approx(1)]]


def test_pivot_kept():
    encoded = Encoded(["a", "b"], ["c", "dd"])
    base = System(Counting(), Counting())
    assert pivot_kept(encoded, base, base) == pytest.approx(1)
    assert pivot_kept(encoded, System(Counting(0.5)), base) == pytest.approx(np.cos(0.5))
    assert pivot_kept(encoded, System(lambda texts: np.ones((len(texts), 5))), base) is None


@pytest.mark.parametrize("shape", [(1, 2), (2,), (3, 2)])
def test_a_wrong_number_of_vectors_is_refused(shape):
    with pytest.raises(UserError, match="2 texts gave"):
        Encoded(["a", "b"], ["c", "d"]).similarity(System(lambda texts: np.ones(shape)))


def test_sides_of_different_widths_nothing_and_a_taken_name_are_refused():
    encoded = Encoded(["a"], ["b"])
    narrow, wide = (lambda texts: np.ones((1, 2))), (lambda texts: np.ones((1, 3)))
    with pytest.raises(UserError, match="2 and 3"):
        encoded.similarity(System(narrow, wide))
    with pytest.raises(UserError, match="no system"):
        similarities(encoded, {}, control=False)
    with pytest.raises(UserError, match="name of the control"):
        similarities(encoded, {"tf-idf": System(narrow)}, control=True)
