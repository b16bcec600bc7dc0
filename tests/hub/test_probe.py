from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_folders import random_module
from tiny_models import tiny_encoder
from tiny_training import forward

from xadapt.hub.probe import TEXTS, Probe, difference, make_probe, probe_vectors
from xadapt.injection.activation import Activation, ActiveAdapter


def packed(rows: int = 1, width: int = 2, value: float = 1.0) -> dict[str, Any]:
    raw = np.full((rows, width), value, "<f4").tobytes()
    return {"texts": ["a"] * rows, "width": width, "vectors": base64.b64encode(raw).decode()}


def test_the_vectors_are_those_of_the_module() -> None:
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    probe = make_probe(encoder, module)
    assert probe is not None and probe.texts == list(TEXTS) and probe.tolerance == 1e-5
    ids, mask = encoder.batch(encoder.tokenize(TEXTS))
    with torch.no_grad():
        acts = Activation.of(ActiveAdapter(encoder, module))
        own = encoder.pool(forward(encoder, ids, mask, acts), mask)
        bare = encoder.pool(forward(encoder, ids, mask), mask)
    assert torch.equal(probe.values(), own)
    assert difference(probe.values(), bare) > 1e-2  # the module has an effect
    assert torch.equal(probe_vectors(encoder, module, TEXTS), own)
    assert Probe.model_validate_json(probe.model_dump_json()) == probe


def test_a_module_that_acts_through_others_has_none() -> None:
    encoder = tiny_encoder("bert")
    assert make_probe(encoder, random_module(encoder, "router", experts=2)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"vectors": "AAAA"},
        {"vectors": "!" * 12},
        {"width": 3},
        {"width": 0},
        {"width": 2**20},
        {"texts": []},
        {"texts": ["a"] * 17},
        {"texts": ["a" * 401]},
        packed(value=float("nan")),
        {"dtype": "int8"},
        {"more": 1},
    ],
)
def test_malformed_ones_are_refused(changes: dict[str, Any]) -> None:
    Probe(**packed())
    with pytest.raises(ValidationError):
        Probe(**{**packed(), **changes})


def test_rounding_is_allowed_by_dtype_and_device() -> None:
    assert Probe(**packed(), device="cuda").tolerance == 1e-3
    assert Probe(**packed(), dtype="bfloat16").tolerance == 3e-2
    one = torch.tensor([[1.0, 4.0]])
    assert difference(one + torch.tensor([[0.0, 0.4]]), one) == pytest.approx(0.1)  # a share
    assert difference(one / 8 + 0.1, one / 8) == pytest.approx(0.1)  # absolute
