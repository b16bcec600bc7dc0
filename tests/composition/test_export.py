from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_training import forward, module_for, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.export import merge_loras
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape

EXPRESSIONS = [
    "a",
    "a + b",
    "mix(a:.7, b:-.3)",
    "mix((a + c):.5, mix(b:2, none:1):.25) + c",
    "mix(c:0.5)",
]


def loras(encoder):
    options = {
        "a": {"rank": 2, "alpha": 3},
        "b": {"rank": 3, "alpha": 3, "sites": ["q", "ffn_out"]},
        "c": {"rank": 1, "alpha": 2, "sites": ["v", "attn_out"], "layers": [1, 3]},
    }
    return {
        name: shaken(module_for(encoder, "lora", **own), seed, 0.1)
        for seed, (name, own) in enumerate(options.items())
    }


def states(encoder, module):
    tokens, mask = padded(encoder)
    return forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, module)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_one_lora_does_what_the_composition_does(family, text):
    encoder = tiny_encoder(family)
    modules = loras(encoder)
    made = merge_loras(parse(text), modules, model_shape(encoder))
    assert made.error == 0 and made.module.kind == "lora"
    assert made.module.options.alpha == made.module.options.rank
    expected = states(encoder, Composed(parse(text), modules))
    assert torch.allclose(states(encoder, made.module), expected, atol=1e-5)
    assert made.module.options.layers == ((1, 3) if text == "mix(c:0.5)" else "all")


def test_a_lower_rank_is_the_best_one_and_its_error_is_told():
    encoder = tiny_encoder()
    modules = loras(encoder)
    exact = merge_loras(parse("a + b"), modules, model_shape(encoder)).module
    cut = merge_loras(parse("a + b"), modules, model_shape(encoder), rank=3)
    assert cut.module.options.rank == 3
    worst = 0.0
    for whole, part in zip(exact.hooks(), cut.module.hooks(), strict=True):
        full, low = whole.fn.B @ whole.fn.A, part.fn.B @ part.fn.A
        sizes = torch.linalg.svdvals(full)
        lost = (full - low).norm()
        assert torch.allclose(lost, sizes[3:].norm(), atol=1e-4)
        worst = max(worst, float(lost / full.norm()))
    assert cut.error == pytest.approx(worst, abs=1e-4) and 0 < cut.error < 1
    assert merge_loras(parse("a + b"), modules, model_shape(encoder), rank=5).error == 0
    assert merge_loras(parse("mix(a:0)"), modules, model_shape(encoder), rank=1).error == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a + n", "'n' is a bottleneck module"),
        ("route(a; b)", "depend on the row"),
        ("mix(by_language(de = a):1)", "depend on the row"),
        ("none", "nothing to merge"),
    ],
)
def test_what_has_no_sum_is_refused(text, said):
    encoder = tiny_encoder()
    modules = {**loras(encoder), "n": module_for(encoder, "bottleneck", width=4)}
    with pytest.raises(UserError, match=said):
        merge_loras(parse(text), modules, model_shape(encoder))
