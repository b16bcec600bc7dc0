from __future__ import annotations

import torch
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken
from torch import nn

from xadapt.modules.ensemble import Ensemble
from xadapt.modules.hooks import AdapterHook, SiteInputs
from xadapt.modules.mixing import blended, routed

X = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def hook(factor, reads="input", layer=0):
    return AdapterHook(layer, "v", 0, reads, Times(factor))


def test_parts_read_the_same_states_and_a_parts_own_effects_follow_each_other():
    (one,) = blended([[hook(2), hook(3, "output")], [hook(5, "output")]], [0.5, 0.1])
    here = SiteInputs(0, X, 10 * X)
    # the first part: 2x, then 3(10x + 2x); the second: 5 * 10x
    assert torch.allclose(one.fn(here), (0.5 * (2 + 36) + 0.1 * 50) * X, atol=1e-5)
    assert one.reads == "here" and not one.by_row


def test_each_row_has_its_own_weights():
    ensemble = Ensemble(2, 1)
    scores = ensemble.start(2)
    with torch.no_grad():
        scores[0, 1, 0] = scores[1, 1, 1] = 99.0
    (one,) = routed([[hook(2)], [hook(7)]], ensemble)
    assert one.by_row
    assert torch.allclose(one.fn(SiteInputs(0, X, X)), X * torch.tensor([2.0, 7.0]).view(2, 1, 1))


def test_sites_of_different_parts_stay_apart():
    found = blended([[hook(1, layer=0)], [hook(1, layer=1)]], [1.0, 1.0])
    assert sorted(e.layer for e in found) == [0, 1]
    encoder = tiny_encoder()
    lora = shaken(module_for(encoder), 0)
    assert len(blended([lora.hooks()], [1.0])) == len(lora.hooks())
