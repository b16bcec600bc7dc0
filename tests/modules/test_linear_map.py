from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_models import FAMILIES, WIDTH, padded, tiny_encoder
from tiny_training import forward, module_for

from xadapt.composition.composed import Composed
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.linear_map import LinearMapOptions, closed_form


def filled(encoder, seed=0, **options):
    """A map with values, and its W and b."""
    module = module_for(encoder, "linear_map", **options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    own = module.map
    update = own.update if hasattr(own, "update") else own.up @ own.down
    return module, (torch.eye(WIDTH) + update).detach(), own.bias.detach()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rank", [None, 4])
def test_every_state_after_the_last_layer_and_norm_is_mapped(family, rank):
    """y = W x + b by hand, in every family: the final norm comes before the map."""
    encoder = tiny_encoder(family)
    module, w, b = filled(encoder, rank=rank)
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    mapped = forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, module)))
    assert torch.allclose(mapped, base @ w.T + b, atol=1e-4)
    assert torch.equal(forward(encoder, tokens, mask), base)


def test_layers_below_the_last_are_those_of_the_base():
    encoder = tiny_encoder()
    module, *_ = filled(encoder)
    tokens, mask = padded(encoder)
    acts = Activation.of(ActiveAdapter(encoder, module))
    below = encoder.run(encoder.embed(tokens, mask), mask, 0, encoder.depth - 1)
    same = encoder.run(
        encoder.embed(tokens, mask, activation=acts), mask, 0, encoder.depth - 1, activation=acts
    )
    assert torch.equal(below, same)
    assert ActiveAdapter(encoder, module).first_layer == encoder.depth - 1


def test_the_mean_vector_is_mapped_by_the_same_map():
    encoder = tiny_encoder()
    module, w, b = filled(encoder)
    tokens, mask = padded(encoder)
    base = encoder.pool(forward(encoder, tokens, mask), mask)
    acts = Activation.of(ActiveAdapter(encoder, module))
    pooled = encoder.pool(forward(encoder, tokens, mask, acts), mask)
    assert torch.allclose(pooled, base @ w.T + b, atol=1e-4)


@pytest.mark.parametrize("family", ["bert", "modernbert", "t5"])
def test_only_the_rows_of_its_language_are_mapped(family):
    encoder = tiny_encoder(family)
    module, w, b = filled(encoder)
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    acts = Activation.of(ActiveAdapter(encoder, module), rows=[1])
    mixed = forward(encoder, tokens, mask, acts)
    others = [row for row in range(len(tokens)) if row != 1]
    assert torch.allclose(mixed[others], base[others], atol=1e-6)
    assert torch.allclose(mixed[1], base[1] @ w.T + b, atol=1e-4)


def test_a_mixture_of_maps_is_the_mixture_of_their_additions_and_a_stack_maps_twice():
    encoder = tiny_encoder()
    (one, w, b), (two, v, c) = filled(encoder, 1, rank=None), filled(encoder, 2, rank=4)
    tokens, mask = padded(encoder)
    x = forward(encoder, tokens, mask)

    def through(text):
        whole = Composed(parse(text), {"one": one, "two": two})
        return forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, whole)))

    mixed = 0.7 * (x @ w.T + b) + 0.3 * (x @ v.T + c)
    assert torch.allclose(through("mix(one:.7, two:.3)"), mixed, atol=1e-4)
    twice = (x @ w.T + b) @ v.T + c
    assert torch.allclose(through("one + two"), twice, atol=1e-4)


def test_the_closed_form_centers_by_the_source_mean_and_adds_the_target_mean():
    encoder = tiny_encoder()
    rng = np.random.default_rng(0)
    w = torch.from_numpy(np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0])
    before, after = (torch.from_numpy(rng.normal(size=WIDTH)) for _ in range(2))
    module = closed_form(w, before, after, model_shape(encoder))
    x = torch.from_numpy(rng.normal(size=(3, WIDTH)))
    wanted = (x - before) @ w.T + after
    assert torch.allclose(x.float() + module.map(x.float()), wanted.float(), atol=1e-4)
    assert torch.allclose(before.float() + module.map(before.float()), after.float(), atol=1e-4)


def test_it_does_not_fit_a_base_of_another_size():
    encoder = tiny_encoder()
    module, *_ = filled(encoder)
    module.last += 1
    with pytest.raises(UserError, match="lacks"):
        ActiveAdapter(encoder, module)


def test_options():
    with pytest.raises(UserError, match="leave layers at all"):
        module_for(tiny_encoder(), "linear_map", layers=[0, 1])
    for wrong in ({"rank": 0}, {"rank": "x"}, {"ranks": 3}):
        with pytest.raises(ValidationError):
            LinearMapOptions(**wrong)
