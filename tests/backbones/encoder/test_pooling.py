from __future__ import annotations

import json
import math

import pytest
import torch

from xadapt.backbones.encoder.pooling import Dense, Pooling, pool
from xadapt.core.errors import UserError

STATES = torch.tensor(
    [[[1.0, -2.0], [3.0, 0.0], [-4.0, 5.0]], [[2.0, 2.0], [4.0, -6.0], [100.0, -100.0]]]
)
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])
BY_HAND = {
    "mean": [[0.0, 1.0], [3.0, -2.0]],
    "cls": [[1.0, -2.0], [2.0, 2.0]],
    "max": [[3.0, 5.0], [4.0, 2.0]],
    "mean_sqrt_len_tokens": [[0.0, 3 / math.sqrt(3)], [6 / math.sqrt(2), -4 / math.sqrt(2)]],
    "weightedmean": [[-5 / 6, 13 / 6], [10 / 3, -10 / 3]],
    "lasttoken": [[-4.0, 5.0], [4.0, -6.0]],
}


@pytest.mark.parametrize("mode", BY_HAND)
def test_by_hand(mode):
    got = pool(STATES, MASK, Pooling(modes=(mode,)))
    assert torch.allclose(got, torch.tensor(BY_HAND[mode]), atol=1e-6)


def test_several_are_put_side_by_side_then_normalised():
    got = pool(STATES, MASK, Pooling(modes=("cls", "mean"), normalise=True))
    row = torch.tensor([1.0, -2.0, 0.0, 1.0]) / math.sqrt(6)
    assert torch.allclose(got[0], row, atol=1e-6)


def test_dense_comes_before_the_norm():
    dense = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.ReLU())
    with torch.no_grad():
        dense[0].weight.copy_(torch.tensor([[2.0, 1.0]]))
    assert pool(STATES, MASK, Pooling(), dense).tolist() == [[1.0], [4.0]]
    assert pool(3 * STATES, MASK, Pooling(normalise=True), dense).tolist() == [[1.0], [1.0]]


def test_bfloat16_is_summed_in_float32():
    states = torch.ones(1, 1000, 1, dtype=torch.bfloat16)
    states[0, 0] = 257
    got = pool(states, torch.ones(1, 1000), Pooling())
    assert got.dtype == torch.float32
    assert abs(got.item() - (256 + 999) / 1000) < 1e-6


def test_padding_never_counts_and_gets_no_gradient():
    for mode in BY_HAND:
        states = STATES.clone().requires_grad_()
        pool(states, MASK, Pooling(modes=(mode,))).sum().backward()
        assert states.grad[1, 2].abs().sum() == 0
        assert states.grad.abs().sum() > 0
        moved = STATES.clone()
        moved[1, 2] = -7e3
        same = pool(moved, MASK, Pooling(modes=(mode,)))
        assert torch.equal(same, pool(STATES, MASK, Pooling(modes=(mode,))))


def test_through_json():
    value = Pooling(
        modes=("cls", "mean"),
        dense=(Dense("2_Dense", 4, 2, True, "Tanh", "ab"),),
        normalise=True,
        prompt="query: ",
        prompts={"q": "query: "},
        include_prompt=False,
        max_length=7,
        lower=True,
        source="sentence-transformers",
    )
    assert Pooling.from_dict(json.loads(json.dumps(value.to_dict()))) == value
    assert Pooling.from_dict({}) == Pooling()


@pytest.mark.parametrize(
    "row",
    [
        {"mode": "mean"},
        {"modes": ["median"]},
        {"modes": []},
        {"dense": [{"path": "x"}]},
        {"modes": 3},
    ],
)
def test_other_dictionaries_are_refused(row):
    with pytest.raises(UserError):
        Pooling.from_dict(row)
