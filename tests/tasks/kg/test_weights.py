from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.tasks.kg.likeness import ByVectors
from xadapt.tasks.kg.weights import best_weights, equal_weights, parse_weights

LINKS = np.stack([np.arange(40), np.arange(40)], axis=1)


def noisy(noise, seed=0):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(60, 16))
    return ByVectors(vectors, vectors + noise * draw.normal(size=(60, 16)))


def test_weights_as_a_user_writes_them():
    assert parse_weights("text=.3, names=2", ("names", "text", "structure")) == {
        "names": 2.0, "text": 0.3, "structure": 0.0,
    }  # fmt: skip
    assert equal_weights(("a", "b")) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [("text", "is no weight"), ("nmaes=1", "names"), ("text=x", "is no weight of text"),
     ("text=-1", "from 0"), ("text=nan", "from 0"), ("text=0", "all weights are 0"),
     ("text=inf", "from 0")],
)  # fmt: skip
def test_wrong_weights_are_one_line(text, said):
    with pytest.raises(UserError) as fault:
        parse_weights(text, ("names", "text"))
    assert said in str(fault.value) and fault.value.where == "--weights"


def test_a_view_of_noise_gets_nothing_and_two_halves_share():
    useless = ByVectors(*np.random.default_rng(3).normal(size=(2, 60, 16)))
    good = {"good": noisy(0.3), "noise": useless}
    found = best_weights(good, LINKS)
    assert found["good"] >= 0.8 and sum(found.values()) == pytest.approx(1)
    halves = {"one": noisy(2.5, 1), "two": noisy(2.5, 2)}
    found = best_weights(halves, LINKS)
    assert min(found.values()) >= 0.2


def test_of_equals_the_one_with_most_zeros_wins():
    perfect = noisy(0)
    assert sorted(best_weights({"a": perfect, "b": perfect}, LINKS).values()) == [0, 1]
    assert best_weights({"a": perfect}, LINKS) == {"a": 1.0}


def test_both_directions_and_several_answers_count():
    links = np.array([[0, 0], [0, 1], [1, 2], [2, 2]])
    assert sum(best_weights({"a": noisy(0.1), "b": noisy(3)}, links).values()) == pytest.approx(1)


def test_samples_are_drawn_alike_and_no_links_are_refused():
    views = {"a": noisy(1.5, 1), "b": noisy(2, 2)}
    one = best_weights(views, LINKS, sample=15, pool=5, seed=4)
    assert one == best_weights(views, LINKS, sample=15, pool=5, seed=4)
    with pytest.raises(UserError, match="no development links"):
        best_weights(views, LINKS[:0])
