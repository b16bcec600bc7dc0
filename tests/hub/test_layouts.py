import re

import pytest
import torch
from tiny_folders import random_module
from tiny_models import FAMILIES, MASKED_LM, tiny_encoder, tiny_masked_lm

from xadapt.hub import layouts
from xadapt.modules import bottleneck, lora

ALL_SITES = ("q", "k", "v", "attn_out", "ffn_in", "ffn_out")
MIXED = {
    "sites": ALL_SITES,
    "rank": 3,
    "alpha": 7,
    "rank_pattern": {"q": 2, "ffn_in": 5},
    "alpha_pattern": {"v": 3.0},
    "layers": (1, 3),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [{"rank": 3, "alpha": 7}, MIXED], ids=["plain", "mixed"])
def test_peft_names_there_and_back(family, options):
    encoder = tiny_encoder(family)
    module = random_module(encoder, "lora", **options)
    at = layouts.places(encoder, module.options)
    own = module.state_dict()
    theirs = layouts.lora_to_peft(own, at, module.options)
    back = layouts.lora_from_peft(theirs, at, module.options)
    assert back.keys() == own.keys()
    for key, value in own.items():
        torch.testing.assert_close(back[key], value, rtol=1e-6, atol=1e-7)
    assert layouts.peft_ranks(at, module.options).keys() == {
        key.removeprefix(layouts.PEFT_PREFIX).rpartition(".lora_")[0] for key in theirs
    }


def test_a_fused_linear_gets_one_update_equal_to_the_three():
    encoder = tiny_encoder("modernbert")
    module = random_module(
        encoder, "lora", sites=("q", "v"), rank=3, alpha=7, rank_pattern={"v": 2}
    )
    at = layouts.places(encoder, module.options)
    theirs = layouts.lora_to_peft(module.state_dict(), at, module.options)
    path = "layers.1.attn.Wqkv"
    a = theirs[f"base_model.model.{path}.lora_A.weight"]
    b = theirs[f"base_model.model.{path}.lora_B.weight"]
    rank, alpha = layouts.peft_ranks(at, module.options)[path]
    x = torch.randn(5, encoder.width)
    delta = x @ a.T @ b.T * (alpha / rank)
    width = encoder.width
    for part, site in enumerate(("q", "k", "v")):
        piece = delta[:, part * width : (part + 1) * width]
        if site == "k":
            assert not piece.any()
        else:
            torch.testing.assert_close(piece, module.layers["1"][site]["0"](x))
    assert rank == 5


@pytest.mark.parametrize("family", MASKED_LM)
@pytest.mark.parametrize("sites", [("q",), ("ffn_out",), ("q", "v", "ffn_in"), ALL_SITES])
def test_the_pattern_finds_exactly_our_linears_also_in_a_larger_model(family, sites):
    encoder = tiny_encoder(family)
    at = layouts.places(encoder, lora.Options(sites=sites, layers=(1, 3)))
    pattern = layouts.peft_pattern(place.path for place in at)
    for model in (encoder.model, tiny_masked_lm(family)):
        found = {name for name, _ in model.named_modules() if re.fullmatch(pattern, name)}
        inner = "" if model is encoder.model else f"{model.base_model_prefix}."
        assert found == {inner + place.path for place in at}


def test_a_pattern_for_any_layer_does_not_take_a_namesake():
    pattern = rf"(.*\.)?({layouts.any_layer('encoder.layer.0.output.dense')})$"
    assert re.match(pattern, "encoder.layer.11.output.dense")
    assert not re.match(pattern, "encoder.layer.11.attention.output.dense")


@pytest.mark.parametrize("family", ["bert", "xlmr", "distilbert", "deberta-v3", "t5", "mt5"])
@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_adapters_names_are_one_to_one(family, kind):
    encoder = tiny_encoder(family)
    module = random_module(encoder, kind)
    at = layouts.places(encoder, module.options)
    config = encoder.model.config
    keys = layouts.adapters_keys(kind, "n", encoder.model.base_model_prefix, config.model_type, at)
    assert keys.keys() == module.state_dict().keys()
    assert len(set(keys.values())) == len(keys)
    back = {theirs: ours for ours, theirs in keys.items()}
    renamed = layouts.renamed(module.state_dict(), keys)
    assert layouts.renamed(renamed, back).keys() == module.state_dict().keys()
    with pytest.raises(KeyError):
        layouts.renamed({"stranger": torch.zeros(1)}, keys)


@pytest.mark.parametrize(
    ("family", "options", "adapters", "peft"),
    [
        ("bert", lora.Options(), True, True),
        ("bert", lora.Options(layers=(1, 2)), True, True),
        ("bert", lora.Options(sites=ALL_SITES), False, True),
        ("bert", lora.Options(rank_pattern={"q": 2}), False, True),
        ("bert", lora.Options(rank_pattern={"q": 16}, rank=16), True, True),
        ("bert", lora.Options(alpha_pattern={"q": 1.0}), False, True),
        ("bert", bottleneck.Options(), True, False),
        ("bert", bottleneck.Options(form="parallel", after="ffn"), True, False),
        ("t5", bottleneck.Options(form="parallel", after="ffn"), False, False),
        ("t5", lora.Options(), True, True),
        ("mt5", lora.Options(), False, True),
        ("mt5", lora.Options(sites=("q", "v", "ffn_out")), True, True),
        ("modernbert", lora.Options(), False, True),
        ("modernbert", bottleneck.Options(), False, False),
        ("m2m100", lora.Options(), False, True),
    ],
)
def test_who_can_hold_what(family, options, adapters, peft):
    encoder = tiny_encoder(family)
    kind = "lora" if isinstance(options, lora.Options) else "bottleneck"
    at = layouts.places(encoder, options)
    reasons = layouts.holders(kind, options, encoder.model.config.model_type, at)
    assert {name: reason is None for name, reason in reasons.items()} == {
        "adapters": adapters,
        "peft": peft,
    }
    assert all(reason is None or reason[0].islower() for reason in reasons.values())


def test_an_unknown_kind_is_held_by_nobody():
    from xadapt.modules.hooks import ModuleOptions

    reasons = layouts.holders("fusion", ModuleOptions(), "bert", [])
    assert all("fusion" in str(reason) for reason in reasons.values())
