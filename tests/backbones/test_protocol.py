from __future__ import annotations

import inspect

import pytest
from tiny_models import FAMILIES, tiny_encoder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.protocol import Backbone
from xadapt.injection.attachment import model_shape

METHODS = [name for name, own in vars(Backbone).items() if inspect.isfunction(own)]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_is_a_backbone(family: str) -> None:
    encoder = tiny_encoder(family)
    for name in [*Backbone.__annotations__, "dtype", "device", "fingerprint"]:
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
