from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_training import forward, hooks_do_nothing, module_for, shaken
from torch import nn

from xadapt.composition.composed import Composed
from xadapt.composition.values import ByLanguage, Mix, Route, Stack
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import BELOW, EMBEDDINGS, AdapterHook
from xadapt.modules.router import Router, RouterOptions

SCALE = 0.1  # stronger modules make rounding errors grow over the layers
COMPOSITIONS = {
    "stack": Stack("lora", "sequential"),
    "stack the other way": Stack("sequential", "parallel", "lora"),
    "mix": Mix({"lora": 0.7, "lora2": -0.4}),
    "mix of kinds": Mix({"lora": 0.7, "sequential": 0.5, "parallel": 2.0, None: 3.0}),
    "mix of stacks": Mix(
        {Stack("sequential", "lora"): 0.6, Mix({"sequential2": 0.5, "lora2": 1.0}): 0.4}
    ),
    "stack of mixes": Stack("sequential", Mix({"sequential2": 0.5, "lora": 0.5}), "parallel"),
    "one": "sequential",
}  # fmt: skip


@pytest.fixture(scope="module", params=FAMILIES)
def base(request):
    encoder = tiny_encoder(request.param)
    lora = {"rank": 2, "alpha": 4, "sites": ["q", "v", "attn_out", "ffn_in", "ffn_out"]}
    modules = {
        "lora": shaken(module_for(encoder, "lora", **lora), 0, SCALE),
        "lora2": shaken(module_for(encoder, "lora", **lora), 1, SCALE),
        "sequential": shaken(module_for(encoder, "bottleneck", width=4), 2, SCALE),
        "sequential2": shaken(module_for(encoder, "bottleneck", width=3), 3, SCALE),
        "parallel": shaken(
            module_for(encoder, "bottleneck", width=4, after="ffn", form="parallel"), 4, SCALE
        ),
    }
    tokens, mask = padded(encoder)
    return encoder, modules, tokens, mask


def run(base, *compositions, rows=None):
    """States with compositions that act one after the other."""
    encoder, modules, tokens, mask = base
    adapters = [ActiveAdapter(encoder, Composed(own, modules)) for own in compositions]
    groups = list(zip(adapters, rows or [None] * len(compositions), strict=True))
    return forward(encoder, tokens, mask, Activation.several(groups))


def close(a, b):
    return torch.allclose(a, b, atol=1e-5)


def test_one_part_is_that_module(base):
    encoder, modules, tokens, mask = base
    acts = Activation.of(ActiveAdapter(encoder, modules["sequential"]))
    alone = forward(encoder, tokens, mask, acts)
    assert torch.equal(run(base, "sequential"), alone)
    assert close(run(base, Mix({"sequential": 1.0})), alone)
    assert close(run(base, Mix({"sequential": 0.25, Stack("sequential", None): 0.75})), alone)


def test_nothing_is_the_base_bitwise(base):
    encoder, _, tokens, mask = base
    plain = forward(encoder, tokens, mask)
    assert torch.equal(run(base, None), plain)
    assert torch.equal(run(base, Mix({None: 2.0})), plain)
    assert close(run(base, Mix({"lora": 0.0})), plain)


def test_a_stack_is_its_parts_attached_in_order(base):
    order = ["sequential", "lora", "parallel"]
    assert close(run(base, Stack(*order)), run(base, *order))
    one, two = "sequential", "sequential2"
    assert not close(run(base, Stack(one, two)), run(base, Stack(two, one)))


def test_loras_stacked_are_mixed_with_weights_of_one(base):
    """A sum and no product: each reads the linear's input."""
    assert close(run(base, Stack("lora", "lora2")), run(base, Mix({"lora": 1.0, "lora2": 1.0})))
    assert close(run(base, Stack("lora", "lora2")), run(base, Stack("lora2", "lora")))


def test_a_mixture_of_loras_is_one_lora_of_their_ranks_together(base):
    encoder, modules, tokens, mask = base
    joined = module_for(
        encoder, "lora", rank=4, alpha=4.0, sites=list(modules["lora"].options.sites)
    )
    weights = {"lora": 0.7, "lora2": -0.4}
    for places in zip(joined.hooks(), *(modules[n].hooks() for n in weights), strict=True):
        own, *parts = (hook.fn for hook in places)
        with torch.no_grad():
            own.A.copy_(torch.cat([part.A for part in parts]))
            scaled = [w * p.scale * p.B for w, p in zip(weights.values(), parts, strict=True)]
            own.B.copy_(torch.cat(scaled, 1))
    expected = forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, joined)))
    assert close(run(base, Mix(weights)), expected)


def test_mixed_adapters_read_the_same_states(base):
    """What each adds is weighed apart: the hand-made sum at one site of one layer."""
    encoder, modules, tokens, mask = base
    hand = Hand([modules["sequential"].hooks()[0].fn, modules["sequential2"].hooks()[0].fn])
    first = {n: First(modules[n]) for n in ("sequential", "sequential2")}
    adapter = ActiveAdapter(encoder, hand.at(modules["sequential"].hooks()[0]))
    expected = forward(encoder, tokens, mask, Activation.of(adapter))
    mixed = Mix({"sequential": 0.5, "sequential2": -2.0})
    assert close(run((encoder, first, tokens, mask), mixed), expected)


class First(nn.Module):
    """A module's first effect alone."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def hooks(self):
        return self.module.hooks()[:1]


class Hand(nn.Module):
    """Half of one network less twice another."""

    def __init__(self, fns):
        super().__init__()
        self.fns = nn.ModuleList(fns)

    def at(self, hook):
        self.hook = AdapterHook(hook.layer, hook.site, hook.point, hook.reads, self)
        return self

    def hooks(self):
        return [self.hook]

    def forward(self, x):
        return 0.5 * self.fns[0](x) - 2.0 * self.fns[1](x)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_rows_of_a_mixed_batch_are_separate_runs(base, name):
    encoder, _, tokens, mask = base
    plain = forward(encoder, tokens, mask)
    others = COMPOSITIONS["stack of mixes"]
    alone, other = run(base, COMPOSITIONS[name]), run(base, others)
    mixed = run(base, COMPOSITIONS[name], others, rows=[[2, 0], [1]])
    assert close(mixed[[0, 2]], alone[[0, 2]]) and close(mixed[1], other[1])
    assert close(mixed[3:], plain[3:]) and not close(alone, plain)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_gradients_reach_every_part_and_are_those_of_separate_runs(base, name):
    encoder, modules, tokens, mask = base
    module = Composed(COMPOSITIONS[name], modules)
    adapter = ActiveAdapter(encoder, module)
    grads = []
    for rows in ([0, 2], [0], [2]):
        module.zero_grad()
        acts = Activation.of(adapter, rows)
        forward(encoder, tokens, mask, acts)[rows].square().sum().backward()
        grads.append([p.grad.clone() for p in module.parameters()])
    module.zero_grad()
    for both, one, two in zip(*grads, strict=True):
        assert both.abs().max() > 0
        assert torch.allclose(both, one + two, rtol=1e-3, atol=1e-3 * both.abs().max())


def projects_positions(encoder):
    return encoder.family.name.startswith("DeBERTa")


class Without(nn.Module):
    """A module without its effects at some sites."""

    def __init__(self, sites, module):
        super().__init__()
        self.inner = nn.ModuleList(e.fn for e in module.hooks() if e.site not in sites)
        self.kept = [e for e in module.hooks() if e.site not in sites]

    def hooks(self):
        return self.kept


@pytest.mark.parametrize("base", ["deberta-v3", "deberta-v2-conv"], indirect=True)
def test_experts_where_positions_pass_are_refused(base):
    encoder, modules, _, _ = base
    router = Router(RouterOptions(experts=1), model_shape(encoder))
    for composition in (Route("r", ["lora"]), Mix({Route("r", ["lora"]): 0.5})):
        routed = Composed(composition, {**modules, "r": router})
        with pytest.raises(UserError, match="positions through q and k"):
            ActiveAdapter(encoder, routed)
    assert hooks_do_nothing(encoder)


SCOPES = [
    {"scope": "site", "features": "mean", "sites": ["q", "v", "attn_out", "ffn_in", "ffn_out"]},
    {"scope": "layer", "features": "cls"},
    {"scope": "layer", "features": "token", "top_k": 1},
    {"scope": "model", "features": "mean", "top_k": 2},
]
EXPERTS = ["lora", "lora2", Stack("sequential", "lora2")]


def with_router(base, options, **more):
    encoder, modules, tokens, mask = base
    if projects_positions(encoder):
        modules = {**modules, **{n: Without("qk", modules[n]) for n in ("lora", "lora2")}}
    options = {"experts": 3, "temperature": 0.2, **options, **more}
    router = shaken(Router(RouterOptions(**options), model_shape(encoder)), 9, SCALE)
    return encoder, {**modules, "router": router}, tokens, mask


@pytest.mark.parametrize("options", SCOPES)
def test_routed_rows_are_separate_runs(base, options):
    base = with_router(base, options)
    encoder, _, tokens, mask = base
    route, other = Route("router", EXPERTS), Stack("parallel", "lora")
    alone, beside = run(base, route), run(base, other)
    mixed = run(base, route, other, rows=[[2, 0], [1]])
    assert close(mixed[[0, 2]], alone[[0, 2]]) and close(mixed[1], beside[1])
    assert close(mixed[3:], forward(encoder, tokens, mask)[3:])
    short = mask.sum(1).argmin()
    own = int(mask[short].sum())
    cut = (encoder, base[1], tokens[short : short + 1, :own], mask[short : short + 1, :own])
    assert close(run(cut, route)[0], alone[short, :own])


def test_a_router_that_is_sure_runs_one_expert_and_an_even_one_mixes(base):
    sure = with_router(base, {"scope": "layer", "features": "cls", "top_k": 1})
    router = sure[1]["router"]
    for number, expert in enumerate(EXPERTS):
        choose(router, number, sure)
        assert close(run(sure, Route("router", EXPERTS)), run(sure, expert))
    even = with_router(base, {"scope": "site", "sites": SCOPES[0]["sites"]})
    with torch.no_grad():
        for scores in even[1]["router"].scores.values():
            scores.zero_()
    third = Mix(dict.fromkeys(EXPERTS, 1 / 3))
    assert close(run(even, Route("router", EXPERTS)), run(even, third))


def choose(router, number, base):
    """Make every row of the batch choose one expert, whatever it reads."""
    router.gates = lambda place, here: torch.eye(3)[number].expand(len(here.input), 1, 3)


def test_a_router_learns_from_trained_experts_and_experts_from_it(base):
    base = with_router(base, {"scope": "layer", "features": "mean"})
    encoder, modules, tokens, mask = base
    module = Composed(Route("router", EXPERTS), modules)
    acts = Activation.of(ActiveAdapter(encoder, module))
    module.zero_grad()
    forward(encoder, tokens, mask, acts).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())
    module.zero_grad()


def test_experts_without_a_weight_are_not_run(base):
    base = with_router(base, {"scope": "layer", "features": "cls", "top_k": 1})
    modules, rows = base[1], []
    first = modules["lora2"].hooks()[0].fn
    hook = first.register_forward_hook(lambda module, given, out: rows.append(len(out)))
    choose(modules["router"], 0, base)
    run(base, Route("router", ["lora", "lora2", None]))
    assert rows == []
    turns = torch.eye(3)[torch.arange(len(base[2])) % 2].unsqueeze(1)
    modules["router"].gates = lambda place, here: turns[: len(here.input)]
    run(base, Route("router", ["lora", "lora2", None]))
    hook.remove()
    assert rows and rows[0] == len(base[2]) // 2


def test_what_cannot_be_composed_is_said(base):
    _, modules, _, _ = base
    with pytest.raises(ValueError, match="no module 'x'"):
        Composed(Stack("lora", "x"), modules)
    routed = {**modules, "r": Router(RouterOptions(experts=2), model_shape(base[0]))}
    with pytest.raises(ValueError, match="'lora' is no router"):
        Composed(Route("lora", ["lora2"]), modules)
    with pytest.raises(ValueError, match="made for 2 modules, not 3"):
        Composed(Route("r", ["lora", None, "lora2"]), routed)
    with pytest.raises(ValueError, match="can't act on a row"):
        Composed(ByLanguage({"de": "lora"}), modules)

    class Tokens(nn.Module):
        def hooks(self):
            return [AdapterHook(BELOW, EMBEDDINGS, 0, "ids", nn.Identity())]

    with pytest.raises(ValueError, match="new tokens"):
        Composed(Mix({"lora": 1.0, "tokens": 1.0}), {**modules, "tokens": Tokens()})
