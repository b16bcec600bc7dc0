from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from tiny_models import padded, tiny_encoder
from tiny_training import forward, module_for, pairs, shaken, trainer

from xadapt.composition.composed import Composed
from xadapt.composition.values import Mix
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.mixture_of_loras import MixtureOptions
from xadapt.modules.router import _balance, _entropy, _real
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()


def mixture(**options):
    return module_for(ENCODER, "mixture_of_loras", **{"experts": 3, "rank": 2, **options})


def states(module):
    tokens, mask = padded(ENCODER)
    return forward(ENCODER, tokens, mask, Activation.of(ActiveAdapter(ENCODER, module)))


def test_an_even_router_is_the_uniform_mixture_of_its_experts():
    module = shaken(mixture(), 1)
    with torch.no_grad():
        for value in module.router.scores.values():
            value.zero_()
    named = {str(i): expert for i, expert in enumerate(module.experts)}
    mixed = Composed(Mix(dict.fromkeys(named, 1 / 3)), named)
    assert torch.allclose(states(module), states(mixed), atol=1e-5)


def test_a_sure_router_is_one_expert():
    module = shaken(mixture(top_k=1), 1)
    with torch.no_grad():
        for value in module.router.scores.values():
            value.zero_()
    assert torch.allclose(states(module), states(module.experts[0]), atol=1e-5)  # ties: the first


def test_experts_start_apart_and_nothing_acts():
    module = mixture()
    first, second = (e.layers["0"]["v"]["0"].A for e in list(module.experts)[:2])
    assert not torch.equal(first, second)
    tokens, mask = padded(ENCODER)
    assert torch.equal(states(module), forward(ENCODER, tokens, mask))


def test_penalties_by_hand():
    gates = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    assert _entropy(gates).item() == pytest.approx(math.log(2) / 2)
    # both rows' greatest is the first (a tie counts for it): f = (1, 0), P = (.75, .25)
    assert _balance(gates).item() == pytest.approx(2 * 0.75)
    even = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    assert _balance(even).item() == pytest.approx(1.0)
    tokens = torch.stack([gates, gates.flip(0)])
    real = _real(tokens, torch.tensor([[1, 0], [1, 1]]))
    assert torch.equal(real, torch.stack([gates[0], gates[1], gates[0]]))
    assert torch.equal(_real(gates[:, None], torch.ones(2, 5)), gates)


@pytest.mark.parametrize("features", ["cls", "token"])
def test_the_entropy_loss_makes_the_router_decide(tmp_path, features):
    found = {}
    for factor in (0.0, 3.0):
        module = shaken(mixture(entropy=factor, balance=0.1, features=features), 2, 0.05)
        run = trainer(
            tmp_path / str(factor),
            [Task("t", TranslationRanking(), pairs(24))],
            encoder=ENCODER,
            module=module,
            epochs=4,
            learning_rate=2e-2,
        )
        run.train()
        rows = [r for r in read_metrics(tmp_path / str(factor) / "metrics.jsonl") if "loss" in r]
        assert all("module/balance" in row for row in rows)
        assert all(("module/entropy" in row) == (factor > 0) for row in rows)
        module.router.seen = []
        states(module)
        gates = [own for _, own in module.router.seen]
        found[factor] = sum(_entropy(own).item() for own in gates) / len(gates)
    assert found[3.0] < 0.7 * found[0.0]


def test_nothing_is_kept_outside_of_training():
    module = shaken(mixture(entropy=1.0), 3)
    states(module)
    assert module.router.seen is None and module.penalties() == {}
    plain = shaken(mixture(), 3)
    plain.watch()
    assert plain.router.seen is None


def test_options_of_router_and_experts_are_checked():
    with pytest.raises(ValidationError, match="top_k can't be more than experts"):
        MixtureOptions(experts=2, top_k=3)
    with pytest.raises(ValidationError, match="named twice"):
        MixtureOptions(sites=("v", "v"))
