from __future__ import annotations

import pytest
import torch
from tiny_models import DEPTH, FAMILIES, padded, tiny_encoder
from torch import nn

from xadapt.backbones.encoder.slices import Slices, graft


def layer_states(encoder, tokens, mask):
    """What enters each layer in the plain model, caught by hooks, and what leaves the model."""
    caught = []
    layers = encoder.model.get_submodule(encoder.family.layers)
    handles = [
        layer.register_forward_pre_hook(
            lambda m, args, kwargs: caught.append(args[0] if args else kwargs["hidden_states"]),
            with_kwargs=True,
        )
        for layer in layers
    ]
    caught_last = encoder.model(input_ids=tokens, attention_mask=mask)[0]
    for handle in handles:
        handle.remove()
    return [*caught, caught_last]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_span_gives_the_plain_models_states(family):
    encoder = tiny_encoder(family, seed=2)
    tokens, mask = padded(encoder)
    states = layer_states(encoder, tokens, mask)
    assert torch.equal(encoder.embed(tokens, mask), states[0])
    spans = [(a, b) for a in range(DEPTH) for b in range(a + 1, DEPTH + 1)]
    for start, stop in spans:
        got = encoder.run(states[start], mask, start, stop)
        assert torch.allclose(got, states[stop], atol=1e-6, rtol=0), (start, stop)


def test_relative_positions_reach_every_slice_of_t5():
    """With the bias zeroed in the model, slices that start higher change as well."""
    encoder = tiny_encoder("t5")
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    before = encoder.run(hidden, mask, 2, 3)
    bias = encoder.model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
    assert bias.weight.abs().max() > 0.1
    with torch.no_grad():
        bias.weight.zero_()
    assert not torch.allclose(encoder.run(hidden, mask, 2, 3), before)


def test_the_convolution_acts_after_layer_0_only():
    encoder = tiny_encoder("deberta-v2-conv")
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    first, second = encoder.run(hidden, mask, 0, 1), encoder.run(hidden, mask, 1, 2)
    with torch.no_grad():
        for value in encoder.model.encoder.conv.parameters():
            value.mul_(2)
    assert not torch.allclose(encoder.run(hidden, mask, 0, 1), first)
    assert torch.equal(encoder.run(hidden, mask, 1, 2), second)


def test_slices_are_made_once_and_leave_the_model_alone():
    encoder = tiny_encoder("modernbert")
    tokens, mask = padded(encoder)
    before = list(encoder.model.named_modules())
    slices = Slices(encoder.model, encoder.family)
    hidden = slices.embed(tokens, mask)
    slices.run(hidden, mask, 1, 3)
    made = slices._made[1, 3]
    slices.run(hidden, mask, 1, 3)
    assert slices._made == {(1, 3): made}
    assert list(encoder.model.named_modules()) == before
    owned = {id(p) for p in encoder.model.parameters()}
    assert {id(p) for p in made.parameters()} <= owned
    assert made.layers[0] is encoder.model.layers[1]


def test_graft_copies_the_path_only():
    inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    outer = nn.Sequential(inner, nn.Linear(2, 1))
    twin = graft(outer, "0.1", nn.Tanh())
    assert isinstance(outer[0][1], nn.ReLU)
    assert isinstance(twin[0][1], nn.Tanh)
    assert twin[0][0] is outer[0][0]
    assert twin[1] is outer[1]


def test_a_graft_does_not_call_its_compiled_original():
    layer = nn.Sequential(nn.Linear(2, 2))
    layer.compile()
    twin = graft(layer, "0", nn.Identity())
    assert torch.equal(twin(torch.ones(1, 2)), torch.ones(1, 2))
