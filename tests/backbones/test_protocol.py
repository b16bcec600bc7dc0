from __future__ import annotations

import inspect

import pytest
from tiny_models import FAMILIES, tiny_encoder
from tiny_seq2seq_training import small

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.protocol import Attachable, Backbone
from xadapt.injection.attachment import model_shape

EVERY = {**vars(Attachable), **vars(Backbone)}
METHODS = [name for name, own in EVERY.items() if inspect.isfunction(own)]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_is_a_backbone(family: str) -> None:
    encoder = tiny_encoder(family)
    for name in [
        *Attachable.__annotations__,
        "family",
        "arithmetic",
        "dtype",
        "device",
        "fingerprint",
    ]:
        assert getattr(encoder, name) is not None
    backbone: Backbone = encoder
    assert model_shape(backbone).depth == backbone.depth and backbone.sites(0, "q")


def test_an_encoder_takes_what_the_protocol_says() -> None:
    own = [name for name in METHODS if not name.startswith("_")]
    assert set(own) >= {"embed", "run", "sites"}
    for name in own:
        asked, given = (inspect.signature(getattr(kind, name)) for kind in (Backbone, Encoder))
        assert list(asked.parameters) == list(given.parameters)
        for parameter in asked.parameters.values():
            assert given.parameters[parameter.name].default == parameter.default


def test_an_encoder_decoder_is_attachable() -> None:
    seq2seq = small()
    base: Attachable = seq2seq
    for name in [*Attachable.__annotations__, "family", "arithmetic", "dtype", "device"]:
        assert getattr(seq2seq, name) is not None
    shape = model_shape(base)
    assert (shape.depth, seq2seq.encoder_depth) == (4, 2) and base.fingerprint.startswith("sha256:")
    assert shape.points(1, "q") and shape.points(3, "cross_q") and not shape.points(1, "cross_q")
    assert not shape.points(0, "decoder_q") and not shape.points(2, "encoder_q")
    assert {base.family.block(seq2seq.model, n) for n in (1, 2)} == {
        "encoder.block.1",
        "decoder.block.0",
    }
