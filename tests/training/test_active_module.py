from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.composition.composed import Chosen, Composed
from xadapt.composition.values import ByLanguage, Stack
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.objectives.contract import EncodeView, FusedView
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Forward, Request

CHOICE = ByLanguage({"de": Stack("de", "self"), "sw": Stack("sw", "self"), "*": "self"})
TURNS = ["de", "sw", "deu", "fr", "sw"]
LANGS = [TURNS[i % len(TURNS)] for i in range(len(TEXTS))]
ACTS = {"de": Stack("de", "self"), "sw": Stack("sw", "self"), "deu": Stack("de", "self"),
        "fr": "self"}  # fmt: skip
VIEWS = {
    "pooled": partial(EncodeView, TEXTS),
    "states": partial(EncodeView, TEXTS, output="states"),
    "at a layer": partial(EncodeView, TEXTS, output="states", layer=2),
    "fused": partial(FusedView, TEXTS, TEXTS[::-1], (1, 3)),
}


def modules(encoder):
    return {
        "de": shaken(module_for(encoder, "bottleneck", width=4, invertible="nice"), 1, 0.1),
        "sw": shaken(module_for(encoder, "bottleneck", width=3, invertible="nice"), 2, 0.1),
        "self": shaken(module_for(encoder), 3, 0.1),
    }


def forward(encoder, acting, budget=120):
    return Forward(
        encoder, acting, FrozenVectors(encoder, None), DistributedContext(cpu=True), budget
    )


def leaf(value):
    return value if isinstance(value, torch.Tensor) else value.hidden


def grad(parameter):
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


@pytest.mark.parametrize("gathered", [True, False])
@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
def test_rows_of_several_languages_equal_separate_runs(family, kind, gathered):
    encoder = tiny_encoder(family)
    encoder.family = replace(encoder.family, packs=False)  # a batch by language has none
    own = modules(encoder)
    acting = ActiveModule(encoder, Chosen(CHOICE, own))
    mixed = forward(encoder, acting)([Request(VIEWS[kind](langs=LANGS), gathered)])[0]
    leaf(mixed).square().sum().backward()
    got = [grad(p).clone() for p in own["self"].parameters()]
    own["self"].zero_grad()
    for tag in set(LANGS):
        alone = ActiveModule(encoder, Composed(ACTS[tag], own))
        apart = forward(encoder, alone)([Request(VIEWS[kind](), gathered)])[0]
        rows = torch.tensor([i for i, own in enumerate(LANGS) if own == tag])
        assert torch.allclose(leaf(mixed)[rows], leaf(apart)[rows], atol=1e-5), tag
        leaf(apart)[rows].square().sum().backward()
    for mine, parameter in zip(got, own["self"].parameters(), strict=True):
        assert (mine - grad(parameter)).abs().max() <= 1e-5 * grad(parameter).abs().max()


def test_equal_rows_of_two_languages_are_two_rows():
    encoder = tiny_encoder()
    acting = ActiveModule(encoder, Chosen(CHOICE, modules(encoder)))
    view = EncodeView([TEXTS[0]] * 3, langs=["de", "sw", "de"])
    run = forward(encoder, acting)
    first, second, third = run([Request(view, False)])[0]
    assert torch.equal(first, third) and (first - second).abs().max() > 1e-3
    assert run.tokens == 2 * len(encoder.tokenize([TEXTS[0]])[0])


def test_languages_are_needed_where_it_chooses_by_them_and_ignored_elsewhere():
    encoder = tiny_encoder()
    own = modules(encoder)
    acting = ActiveModule(encoder, Chosen(CHOICE, own))
    with pytest.raises(UserError, match="does not tell the languages"):
        forward(encoder, acting)([Request(EncodeView(TEXTS), False)])
    with pytest.raises(UserError, match="invertible maps of several"):
        assert acting.before_vocabulary
    assert acting.first_layer == -1
    plain = ActiveModule(encoder, own["self"])
    run = forward(encoder, plain)
    one, other = (
        run([Request(EncodeView(TEXTS, langs=langs), False)])[0] for langs in (LANGS, None)
    )
    assert torch.equal(one, other) and plain.first_layer == 0


def test_a_language_without_a_module_is_the_bare_base():
    encoder = tiny_encoder()
    own = modules(encoder)
    acting = ActiveModule(encoder, Chosen(ByLanguage({"de": "self"}), own))
    view = EncodeView(TEXTS[:2], langs=["de", "fr"])
    with torch.no_grad():
        through, bare = forward(encoder, acting)([Request(view, False)])[0]
        base = ActiveModule(encoder, Composed(None, {}))
        same, as_base = forward(encoder, base)([Request(EncodeView(TEXTS[:2]), False)])[0]
    assert torch.allclose(bare, as_base, atol=1e-6) and (through - same).abs().max() > 1e-3
