from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from tiny_models import FAMILIES, WIDTH, padded, tiny_encoder
from tiny_training import digest, forward, module_for, shaken

from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.bottleneck import BottleneckOptions

FORMS = [
    {"after": "ffn"},
    {"after": "attention"},
    {"after": "both"},
    {"after": "ffn", "form": "parallel"},
    {"after": "both", "form": "parallel"},
    {"after": "both", "form": "pfeiffer"},
]


@pytest.mark.parametrize("options", FORMS)
def test_zero_at_birth_in_every_form(options):
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    adapter = ActiveAdapter(encoder, module_for(encoder, "bottleneck", width=4, **options))
    born = forward(encoder, tokens, mask, Activation.of(adapter))
    assert torch.equal(born, forward(tiny_encoder(), tokens, mask))


def test_names_shapes_and_layers():
    module = module_for(tiny_encoder(), "bottleneck", width=4, after="both", layers=[2, 4])
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert shapes["layers.2.attn_out.down.weight"] == (4, WIDTH)
    assert shapes["layers.3.ffn_out.up.bias"] == (WIDTH,)
    assert len(shapes) == 2 * 2 * 4 and {n.split(".")[1] for n in shapes} == {"2", "3"}


@pytest.mark.parametrize(
    ("activation", "value"),
    [("relu", 3.0), ("gelu", 1.5 * (1 + math.erf(3 / 2**0.5))), ("silu", 3 / (1 + math.exp(-3)))],
)
def test_the_formula_by_hand(activation, value):
    module = module_for(
        tiny_encoder(),
        "bottleneck",
        width=1,
        after="ffn",
        activation=activation,
        scaling=2,
        layers=[0, 1],
    )
    fn = module.hooks()[0].fn
    fn.down.weight.data.fill_(0.0625)  # 32 ones give 2
    fn.down.bias.data.fill_(1.0)
    fn.up.weight.data.fill_(5.0)
    fn.up.bias.data.fill_(7.0)
    out = fn(torch.ones(1, 1, WIDTH))
    assert torch.allclose(out, torch.full_like(out, 2 * (5 * value + 7)))


@pytest.mark.parametrize("options", FORMS)
def test_what_each_form_reads(options):
    form = options.get("form", "sequential")
    family = "bert" if form == "pfeiffer" else "mt5"
    hooks = module_for(tiny_encoder(family), "bottleneck", width=4, **options).hooks()
    names = {"ffn": {"ffn"}, "attention": {"attn"}, "both": {"attn", "ffn"}}[options["after"]]
    end = {"parallel": "_in", "pfeiffer": "_normed"}.get(form)
    expected = {name + end for name in names} if end else {"output"}
    sites = {"ffn": {"ffn_out"}, "attention": {"attn_out"}, "both": {"attn_out", "ffn_out"}}
    assert {e.reads for e in hooks} == expected
    assert {e.site for e in hooks} == sites[options["after"]]


def test_sequential_stands_before_residual_and_norm():
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder, "bottleneck", width=4, after="ffn", layers=[3, 4]))
    fn, layer = module.hooks()[0].fn, encoder.model.encoder.layer[3]
    tokens, mask = padded(encoder)
    before = encoder.run(encoder.embed(tokens, mask), mask, 0, 3)
    seen = {}
    hook = layer.output.register_forward_pre_hook(lambda _, i: seen.update(inner=i[0], x=i[1]))
    encoder.run(before, mask, 3)
    hook.remove()
    y = layer.output.dense(seen["inner"])
    expected = layer.output.LayerNorm(y + fn(y) + seen["x"])
    acts = Activation.of(ActiveAdapter(encoder, module))
    assert torch.allclose(encoder.run(before, mask, 3, activation=acts), expected, atol=1e-6)


@pytest.mark.parametrize("site", ["attention", "ffn"])
def test_pfeiffer_reads_behind_the_norm_and_adds_before_residual_and_norm(site):
    encoder = tiny_encoder("bert")
    options = {"width": 4, "after": site, "form": "pfeiffer", "layers": [3, 4]}
    module = shaken(module_for(encoder, "bottleneck", **options))
    fn, layer = module.hooks()[0].fn, encoder.model.encoder.layer[3]
    block = layer.output if site == "ffn" else layer.attention.output
    tokens, mask = padded(encoder)
    before = encoder.run(encoder.embed(tokens, mask), mask, 0, 3)
    seen = {}
    hook = block.register_forward_pre_hook(lambda _, i: seen.update(inner=i[0], x=i[1]))
    encoder.run(before, mask, 3)
    hook.remove()
    y = block.dense(seen["inner"])
    expected = block.LayerNorm(y + fn(block.LayerNorm(y + seen["x"])) + seen["x"])
    hook = block.register_forward_hook(lambda _, i, out: seen.update(out=out))
    acts = Activation.of(ActiveAdapter(encoder, module))
    encoder.run(before, mask, 3, activation=acts)
    hook.remove()
    assert torch.allclose(seen["out"], expected, atol=1e-6)


@pytest.mark.parametrize("family", ["t5", "modernbert", "m2m100"])
def test_pfeiffer_needs_a_norm_behind_the_sub_layer(family):
    with pytest.raises(UserError, match="has its norms before its sub-layers"):
        module_for(tiny_encoder(family), "bottleneck", width=4, form="pfeiffer")


def test_parallel_reads_the_input_of_the_ffn():
    encoder = tiny_encoder("bert")
    module = module_for(encoder, "bottleneck", width=4, after="ffn", form="parallel", layers=[3, 4])
    fn, layer = shaken(module).hooks()[0].fn, encoder.model.encoder.layer[3]
    tokens, mask = padded(encoder)
    before = encoder.run(encoder.embed(tokens, mask), mask, 0, 3)
    seen = {}
    hook = layer.output.register_forward_pre_hook(lambda _, i: seen.update(inner=i[0], x=i[1]))
    encoder.run(before, mask, 3)
    hook.remove()
    y = layer.output.dense(seen["inner"]) + fn(seen["x"])
    acts = Activation.of(ActiveAdapter(encoder, module))
    after = encoder.run(before, mask, 3, activation=acts)
    assert torch.allclose(after, layer.output.LayerNorm(y + seen["x"]), atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_parallel_reads_the_input_of_the_attention(family):
    """What the layer's own value projection is given, also where its rows are seen apart."""
    encoder = tiny_encoder(family)
    options = {"width": 4, "after": "attention", "form": "parallel"}
    module = shaken(module_for(encoder, "bottleneck", **options, layers=[1, 2]))
    tokens, mask = padded(encoder)
    before = encoder.run(encoder.embed(tokens, mask), mask, 0, 1)
    seen, [value], [out] = {}, encoder.sites(1, "v"), encoder.sites(1, "attn_out")
    hooks = [value.module.register_forward_pre_hook(lambda _, i: seen.update(x=i[0]))]
    encoder.run(before, mask, 1, 2)
    extra = module.hooks()[0].fn(seen["x"])
    hooks.append(out.module.register_forward_hook(lambda _, i, y: y + extra))
    expected = encoder.run(before, mask, 1, 2)
    for hook in hooks:
        hook.remove()
    own = ActiveAdapter(encoder, module)
    lora = ActiveAdapter(encoder, shaken(module_for(encoder, "lora", sites=["q"], layers=[1, 2])))
    alone = encoder.run(before, mask, 1, 2, activation=Activation.of(own))
    assert torch.allclose(alone, expected, atol=1e-5)
    both = Activation.several([(own, [0, 2]), (lora, [1])])
    mixed = encoder.run(before, mask, 1, 2, activation=both)
    assert torch.allclose(mixed[[0, 2]], expected[[0, 2]], atol=1e-5)
    assert torch.allclose(mixed[3:], encoder.run(before, mask, 1, 2)[3:], atol=1e-5)


def test_seeds():
    encoder = tiny_encoder()
    one, same, other = (module_for(encoder, "bottleneck", seed=s, width=4) for s in (0, 0, 1))
    assert digest(one) == digest(same) != digest(other)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"activation": "tanh"},
        {"scaling": 0},
        {"breadth": 3},
        {"after": "nothing"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValidationError):
        BottleneckOptions(**options)
