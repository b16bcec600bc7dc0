from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny_models import DEPTH, padded, tiny_encoder
from tiny_training import digest, forward, module_for, shaken

from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.lora import LoRA, LoRAOptions


def test_names_shapes_and_zero_at_birth():
    module = module_for(tiny_encoder(), rank=3, sites=["q", "ffn_in"], layers=[1, 3])
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert shapes["layers.1.q.0.A"] == (3, 32) and shapes["layers.2.ffn_in.0.B"] == (64, 3)
    assert len(shapes) == 2 * 2 * 2 and not any(n.startswith("layers.0") for n in shapes)
    assert all(p.dtype == torch.float32 for p in module.parameters())
    x = torch.randn(2, 5, 32)
    assert all(torch.equal(e.fn(x), torch.zeros(2, 5, e.fn.B.shape[0])) for e in module.hooks())


def test_the_formula_by_hand():
    module = shaken(module_for(tiny_encoder(), rank=2, alpha=5, sites=["v"], layers=[0, 1]))
    fn = module.hooks()[0].fn
    fn.A.data, fn.B.data = torch.ones(2, 32), torch.eye(32, 2)
    x = torch.full((1, 1, 32), 0.5)
    expected = torch.zeros(32)
    expected[:2] = 5 / 2 * 16  # alpha / rank times the sum of x
    assert torch.equal(fn(x)[0, 0], expected)


def test_patterns_change_rank_and_scale():
    module = module_for(
        tiny_encoder(),
        sites=["q", "v"],
        rank=2,
        alpha=8,
        rank_pattern={"v": 4},
        alpha_pattern={"v": 2},
    )
    scales = {e.site: (e.fn.A.shape[0], e.fn.scale) for e in module.hooks()}
    assert scales == {"q": (2, 4.0), "v": (4, 0.5)}


def test_seeds():
    encoder = tiny_encoder()
    one, same, other = (module_for(encoder, seed=s, rank=2) for s in (0, 0, 1))
    assert digest(one) == digest(same) != digest(other)


@pytest.mark.parametrize(
    "options",
    [
        {"rank": 0},
        {"alpha": -1},
        {"sites": []},
        {"sites": ["q", "q"]},
        {"rang": 4},
        {"layers": [3, 1]},
        {"rank_pattern": {"k": 3}, "sites": ["q"]},
        {"alpha_pattern": {"q": 0}},
        {"rank": "many"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValidationError):
        LoRAOptions(**options)


def test_an_encoder_without_the_site_or_the_layers_is_refused():
    encoder = tiny_encoder()
    with pytest.raises(UserError, match="no site 'qq'; it has attn_out, ffn_in"):
        module_for(encoder, sites=["qq"])
    with pytest.raises(UserError, match=f"leave an encoder of {DEPTH} layers"):
        module_for(encoder, layers=[0, DEPTH + 1])


@pytest.mark.parametrize("family", ["modernbert", "mt5", "bert"])
def test_attached_is_the_merged_weight(family):
    """W + scale B A in the weights themselves, also in slices of fused and in gated linears."""
    encoder, twin = tiny_encoder(family), tiny_encoder(family)
    sites = ["q", "v", "attn_out", "ffn_in", "ffn_out"]
    module = shaken(module_for(encoder, sites=sites, rank=2, alpha=3), scale=0.1)
    for hook in module.hooks():
        site = twin.sites(hook.layer, hook.site)[hook.point]
        update = hook.fn.scale * hook.fn.B @ hook.fn.A
        site.module.weight.data[site.start : site.stop] += update
    tokens, mask = padded(encoder)
    with torch.no_grad():
        acts = Activation.of(ActiveAdapter(encoder, module))
        attached = forward(encoder, tokens, mask, acts)
    assert torch.allclose(attached, forward(twin, tokens, mask), atol=1e-5)
    assert (attached - forward(tiny_encoder(family), tokens, mask)).abs().max() > 0.1


def test_a_gated_ffn_has_two_inner_linears():
    module = module_for(tiny_encoder("mt5"), sites=["ffn_in"], layers=[0, 1])
    assert [(e.site, e.point) for e in module.hooks()] == [("ffn_in", 0), ("ffn_in", 1)]


def test_it_computes_in_the_dtype_of_the_states():
    module = shaken(LoRA(LoRAOptions(rank=2), model_shape(tiny_encoder())))
    x = torch.randn(1, 3, 32, dtype=torch.bfloat16)
    hook = next(e for e in module.hooks() if e.site == "q")
    out = hook.fn(x)
    assert out.dtype == torch.bfloat16
    assert torch.allclose(out.float(), hook.fn(x.float()), rtol=0.05, atol=0.2)
