from __future__ import annotations

import torch
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.values import Mix, Route, Stack
from xadapt.modules.hooks import hooks_of
from xadapt.modules.lora import LowRank
from xadapt.modules.sums import joined, terms_of

ENCODER = tiny_encoder("bert")
MODULES = {
    "a": shaken(module_for(ENCODER, rank=2, sites=["q", "v"]), 1),
    "b": shaken(module_for(ENCODER, rank=3, sites=["v", "ffn_in"]), 2),
    "c": module_for(ENCODER, "bottleneck", width=4),
}


def low(rank: int, scale: float, seed: int) -> LowRank:
    made = LowRank((3, 2), rank, scale, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        made.B.copy_(torch.arange(2.0 * rank).view(2, rank))
    return made


def test_terms_have_the_weights_of_nested_sums() -> None:
    value = Stack("a", Mix({"b": 0.5, Mix({"a": 0.25}): -2.0}))
    terms = terms_of(Composed(value, MODULES).hooks())
    assert terms is not None
    fn = {name: {e.place: e.fn for e in hooks_of(MODULES[name])} for name in "ab"}
    assert terms[0, "q", 0] == [(1.0, fn["a"][0, "q", 0]), (-0.5, fn["a"][0, "q", 0])]
    assert terms[3, "v", 0] == [(1.0, fn["a"][3, "v", 0]), (0.5, fn["b"][3, "v", 0]),
                                (-0.5, fn["a"][3, "v", 0])]  # fmt: skip
    assert terms[1, "ffn_in", 0] == [(0.5, fn["b"][1, "ffn_in", 0])]
    assert terms_of([]) == {}


def test_what_is_no_sum_of_loras_has_no_terms() -> None:
    for value in ("c", Stack("a", "c"), Mix({"a": 1.0, "c": 0.0}), Route("arrow", ["a", "b"])):
        assert terms_of(Composed(value, MODULES).hooks()) is None


def test_joined_is_the_sum_by_hand() -> None:
    one, two = low(1, 2.0, 0), low(2, 0.5, 1)
    down, up = joined([(1.0, one), (-3.0, two)])
    assert down.shape == (3, 3) and up.shape == (2, 3)
    assert torch.equal(down, torch.cat([one.A, two.A]))
    # one: B = (0, 1) times 2; two: B = ((0, 1), (2, 3)) times -1.5
    assert torch.equal(up, torch.tensor([[0.0, -0.0, -1.5], [2.0, -3.0, -4.5]]))
    alone = joined([(0.5, one)])
    assert alone[0] is one.A and torch.equal(alone[1], one.B)
    x = torch.randn(4, 3)
    torch.testing.assert_close(x @ down.T @ up.T, one(x) - 3 * two(x))
