import pytest
from tiny_models import DEPTH, tiny_encoder

from xadapt.hub import configs, layouts
from xadapt.modules import bottleneck, lora


@pytest.mark.parametrize("width", [32, 384, 768, 1024])
def test_the_factor_gives_back_every_narrow_width(width):
    for narrow in range(1, width + 1):
        assert int(width // configs.reduction_factor(width, narrow)) == narrow


def test_the_two_halves_share_no_key():
    encoder = tiny_encoder("bert")
    options = lora.Options()
    at = layouts.places(encoder, options)
    peft = configs.peft_config(options, at, base="a/b", revision=None)
    adapters = configs.adapters_config(
        "n", options, encoder.model.config, base="a/b", layers=(DEPTH, range(DEPTH))
    )
    assert not peft.keys() & adapters.keys()


def test_mixed_ranks_stand_as_exceptions_to_the_commonest():
    encoder = tiny_encoder("bert")
    options = lora.Options(sites=("q", "k", "v"), rank=4, alpha=8, rank_pattern={"k": 2})
    config = configs.peft_config(
        options, layouts.places(encoder, options), base=None, revision=None
    )
    name = r"encoder\.layer\.\d+\.attention\.self\.key"
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert config["rank_pattern"] == {name: 2}
    assert config["alpha_pattern"] == {}


@pytest.mark.parametrize(
    ("family", "left_out"), [("bert", [0, 3]), ("t5", [0, 3, 4, 5, 6, 7]), ("xlmr", [0, 3])]
)
def test_layers_outside_the_span_are_left_out_and_a_decoder_too(family, left_out):
    config = configs.adapters_config(
        "n",
        bottleneck.Options(width=5),
        tiny_encoder(family).model.config,
        base=None,
        layers=(DEPTH, range(1, 3)),
    )
    assert config["config"]["leave_out"] == left_out
    assert config["hidden_size"] == 32
