from __future__ import annotations

import torch
from tiny_models import padded, tiny_encoder
from tiny_training import forward, module_for, shaken

from xadapt.composition.composed import Composed
from xadapt.composition.values import Mix, Route
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.ensemble import Ensemble

ENCODER = tiny_encoder()
MODULES = {
    "a": shaken(module_for(ENCODER), 1),
    "b": shaken(module_for(ENCODER, "bottleneck", width=4), 2),
}


def states(composition, modules, rows=None):
    tokens, mask = padded(ENCODER)
    adapter = ActiveAdapter(ENCODER, Composed(composition, modules))
    return forward(ENCODER, tokens, mask, Activation.of(adapter))


def test_equal_scores_are_the_uniform_mixture():
    ensemble = Ensemble(2, ENCODER.depth)
    ensemble.start(len(padded(ENCODER)[0]))
    routed = states(Route("e", ["a", "b"]), {**MODULES, "e": ensemble})
    mixed = states(Mix({"a": 0.5, "b": 0.5}), MODULES)
    assert torch.allclose(routed, mixed, atol=1e-5)


def test_each_row_and_layer_has_weights_of_its_own():
    tokens, _ = padded(ENCODER)
    ensemble = Ensemble(2, ENCODER.depth)
    scores = ensemble.start(len(tokens))
    with torch.no_grad():
        scores[0, :, 0], scores[1, :, 1] = 50.0, 50.0
        scores[2:, 1, 0], scores[2:, 2:, 1] = 50.0, 50.0
    routed = states(Route("e", ["a", "b"]), {**MODULES, "e": ensemble})
    assert torch.allclose(routed[0], states("a", MODULES)[0], atol=1e-5)
    assert torch.allclose(routed[1], states("b", MODULES)[1], atol=1e-5)
    assert (routed[2] - states("a", MODULES)[2]).abs().max() > 1e-3
    assert (routed[2] - states("b", MODULES)[2]).abs().max() > 1e-3
    assert ensemble.scores.requires_grad and ensemble.hooks() == []
    assert ensemble.wants((0, "q", 0)) == ()
