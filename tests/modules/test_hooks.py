from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny_models import DEPTH, FAMILIES, FFN, VOCAB, WIDTH, tiny_encoder

from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import ModuleOptions, uniform


def test_span_of_layers():
    assert list(ModuleOptions().span(3)) == [0, 1, 2]
    assert list(ModuleOptions(layers=[1, 3]).span(3)) == [1, 2]
    with pytest.raises(ValueError, match="leave an encoder of 2 layers"):
        ModuleOptions(layers=[1, 3]).span(2)
    assert list(ModuleOptions(layers=[0, -1]).span(3)) == [0, 1]
    assert list(ModuleOptions(layers=[1, -2]).span(4)) == [1]
    with pytest.raises(ValueError, match="leave an encoder of 2 layers"):
        ModuleOptions(layers=[1, -1]).span(2)


@pytest.mark.parametrize("layers", [[2, 2], [3, 1], [-1, 2], "some", 3, [1], [1, 2, 3], None])
def test_wrong_spans_are_refused(layers):
    with pytest.raises(ValidationError):
        ModuleOptions(layers=layers)


@pytest.mark.parametrize("family", FAMILIES)
def test_geometry_of_every_family(family):
    shapes = model_shape(tiny_encoder(family))
    assert (shapes.depth, shapes.width, shapes.vocabulary) == (DEPTH, WIDTH, VOCAB)
    for layer in range(DEPTH):
        for site in ("q", "k", "v", "attn_out"):
            assert shapes.sizes[layer, site, 0] == (WIDTH, WIDTH)
            assert shapes.points(layer, site) == [0]
        inner = shapes.sizes[layer, "ffn_in", 0]
        assert inner == (WIDTH, 2 * FFN if family == "modernbert" else FFN)
        assert shapes.points(layer, "ffn_in") == ([0, 1] if family == "mt5" else [0])
        assert shapes.sizes[layer, "ffn_out", 0] == (FFN, WIDTH)
    assert shapes.points(0, "nothing") == []


def test_uniform_draws_from_its_generator_alone():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    one = uniform((50, 40), 0.2, torch.Generator().manual_seed(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, uniform((50, 40), 0.2, torch.Generator().manual_seed(3)))
    assert 0.19 < one.abs().max() <= 0.2 and abs(one.mean()) < 0.01
