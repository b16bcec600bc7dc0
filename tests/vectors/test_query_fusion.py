from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.vectors.query_fusion import choose_weight, fuse

P = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
Q = np.array([[10.0, 0.0], [0.0, 10.0], [20.0, 20.0]], np.float32)
OWNERS = np.array([0, 0, 2])


def test_the_sum_of_the_queries_is_added_not_their_mean():
    found = fuse(P, Q, OWNERS, 0.1)
    np.testing.assert_allclose(
        found, [[0.9 + 1, 1.8 + 1], [2.7, 3.6], [4.5 + 2, 5.4 + 2]], rtol=1e-6
    )
    twice = fuse(P, np.concatenate([Q, Q]), np.concatenate([OWNERS, OWNERS]), 0.1)
    np.testing.assert_allclose(twice[0], [0.9 + 2, 1.8 + 2], rtol=1e-6)  # a mean would not change


def test_the_order_of_queries_does_not_matter_and_their_owner_does():
    order = [2, 0, 1]
    np.testing.assert_allclose(fuse(P, Q[order], OWNERS[order], 0.1), fuse(P, Q, OWNERS, 0.1))
    assert not np.allclose(fuse(P, Q[order], OWNERS, 0.1), fuse(P, Q, OWNERS, 0.1))


def test_nothing_is_normalised_and_a_weight_of_0_gives_the_passages_bit_for_bit():
    assert fuse(P, Q, OWNERS, 0).tobytes() == P.tobytes()
    assert np.linalg.norm(fuse(P, Q, OWNERS, 1)[2]) == pytest.approx(np.sqrt(800))


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), True])
def test_a_wrong_weight_is_refused(weight):
    with pytest.raises(UserError, match="not a number from 0 to 1"):
        fuse(P, Q, OWNERS, weight)


def test_the_weight_is_chosen_on_questions_that_are_not_reported():
    scores = {0.0: 0.1, 0.1: 0.4, 0.3: 0.4}
    assert choose_weight(list(scores), scores.__getitem__, ["Wo?"], ["Wann?"]) == 0.1
    with pytest.raises(UserError, match="1 questions choose the weight and are reported"):
        choose_weight(list(scores), scores.__getitem__, ["Wo?", "Wer?"], ["wo"])
    with pytest.raises(UserError, match="no weight"):
        choose_weight([], scores.__getitem__, ["Wo?"])
    with pytest.raises(UserError, match="from 0 to 1"):
        choose_weight([2.0], scores.__getitem__, ["Wo?"])
