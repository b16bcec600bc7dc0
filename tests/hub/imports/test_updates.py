"""Low-rank updates of single linears as one LoRA: the sum of each is what it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import DEPTH, tiny_encoder

from xadapt.hub.imports.updates import Update, lora_of
from xadapt.injection.attachment import model_shape

ENCODER = tiny_encoder("bert")
SHAPE = model_shape(ENCODER)
PLACES = [(layer, site, 0) for layer in range(DEPTH) for site in ("q", "v", "ffn_in", "ffn_out")]


def update(place: Any, rank: int, scale: float, seed: int = 0) -> Update:
    inside, out = SHAPE.sizes[place]
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn(size, generator=generator) for size in ((rank, inside), (out, rank))]
    return Update(*draw, scale)


@given(
    st.dictionaries(
        st.sampled_from(PLACES), st.tuples(st.integers(1, 5), st.floats(-3, 3)), min_size=1
    )
)
def test_any_ranks_scales_and_places(chosen: dict[Any, tuple[int, float]]) -> None:
    updates = {place: update(place, *own, seed) for seed, (place, own) in enumerate(chosen.items())}
    module = lora_of(updates, SHAPE)
    for hook in module.hooks():
        made = hook.fn.scale * hook.fn.B @ hook.fn.A
        own = updates.get(hook.place)
        wanted = torch.zeros_like(made) if own is None else own.scale * own.up @ own.down
        assert torch.allclose(made, wanted, atol=1e-4)
    assert {hook.place for hook in module.hooks()} >= set(updates)


def test_a_rank_and_scale_for_each_site_keep_the_tensors() -> None:
    sizes = {"q": (2, 4.0), "v": (3, 0.5)}
    updates = {
        (layer, site, 0): update((layer, site, 0), *own, layer)
        for layer in range(1, 3)
        for site, own in sizes.items()
    }
    module = lora_of(updates, SHAPE)
    assert module.options.layers == (1, 3) and module.options.rank_of("v") == 3
    assert module.options.alpha_of("q") == 8 and module.options.alpha_of("v") == 1.5
    for hook in module.hooks():
        assert torch.equal(hook.fn.A, updates[hook.place].down)
        assert torch.equal(hook.fn.B, updates[hook.place].up)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_is_no_alpha_goes_into_the_tensors(scale: float) -> None:
    updates = {place: update(place, 2, scale) for place in PLACES}
    for hook in lora_of(updates, SHAPE).hooks():
        assert hook.fn.scale == 1.0
        assert torch.allclose(hook.fn.B, scale * updates[hook.place].up)
