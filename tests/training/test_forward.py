from __future__ import annotations

from functools import partial

import pytest
import torch
from tiny_models import FAMILIES, TEXTS, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encode import pooled
from xadapt.core.distributed import DistributedContext
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import penalties, watch
from xadapt.modules.storage import build
from xadapt.objectives.contract import EncodeView, FusedView, TeacherView
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Forward, Request


def make(encoder, budget=4096, seed=0, **more):
    acting = ActiveModule(encoder, shaken(module_for(encoder), seed, scale=0.1))
    frozen = FrozenVectors(encoder, None)
    return Forward(encoder, acting, frozen, DistributedContext(cpu=True), budget, **more)


def one(forward, view):
    return forward([Request(view, False)])[0]


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder()


def test_pooled_rows_go_through_the_module_and_others_do_not(encoder):
    forward = make(encoder)
    through, bare = forward(
        [Request(EncodeView(TEXTS), True), Request(EncodeView(TEXTS, module=False), True)]
    )
    expected = pooled(encoder, encoder.tokenize(TEXTS), forward.active_module.activation())
    assert torch.allclose(through, expected, atol=1e-5) and through.requires_grad
    assert torch.allclose(bare, pooled(encoder, encoder.tokenize(TEXTS)), atol=1e-5)
    assert not bare.requires_grad and (through - bare).abs().max() > 1e-2


def test_equal_rows_are_encoded_once_in_all_views(encoder):
    forward = make(encoder)
    ids = [tuple(row) for row in encoder.tokenize(TEXTS[:3])]
    forward([Request(EncodeView(TEXTS[:3]), True), Request(EncodeView([TEXTS[0]] * 9), True)])
    assert forward.tokens == sum(map(len, ids))
    a, b = forward([Request(EncodeView(TEXTS[:3]), False), Request(EncodeView(ids[::-1]), False)])
    assert torch.equal(a, b.flip(0))


def test_rows_of_vectors_and_of_states_are_encoded_once(encoder):
    ids = [tuple(row) for row in encoder.tokenize(TEXTS[:4])]
    views = [
        EncodeView(TEXTS[1:4]),
        EncodeView(TEXTS[:3], output="states"),
        EncodeView([TEXTS[2], TEXTS[0]]),
        EncodeView(TEXTS[:2], module=False),
        EncodeView(TEXTS[:2], output="states", layer=1),
        EncodeView([TEXTS[0], "ab " * 20], output="states"),
    ]
    long = encoder.tokenize(["ab " * 20])[0]

    def run(*calls):
        forward = make(encoder)
        got = [value for call in calls for value in forward([Request(v, False) for v in call])]
        sums = [v.hidden[v.mask == 1].square().sum() if hasattr(v, "mask") else v.square().sum()
                for v in got]  # fmt: skip
        sum(sums).backward()
        grads = [p.grad for p in forward.active_module.module.parameters()]
        return got, grads, forward.tokens

    together, grads, tokens = run(views)
    apart, others, more = run(*([view] for view in views))
    for a, b in zip(together, apart, strict=True):
        if hasattr(a, "mask"):
            assert torch.equal(a.mask, b.mask)
            a, b = a.hidden[a.mask == 1], b.hidden[b.mask == 1]
        assert torch.allclose(a, b, atol=1e-5)
    for a, b in zip(grads, others, strict=True):
        assert torch.allclose(a, b, atol=1e-5 * float(b.abs().max()))
    below = sum(map(len, ids[:2]))
    assert tokens == sum(map(len, [*ids, long])) + below and more > tokens


@pytest.mark.parametrize(
    "view",
    [
        EncodeView(TEXTS),
        EncodeView(TEXTS, output="states"),
        EncodeView(TEXTS, layer=2),
        EncodeView(TEXTS, layer=0),
        FusedView(TEXTS, TEXTS[::-1], (1, 3)),
    ],
    ids=["pooled", "states", "layer 2", "embeddings", "fused"],
)
def test_chunks_change_neither_values_nor_gradients(encoder, view):
    outs, grads = [], []
    for budget in (4096, 40, 1):
        forward = make(encoder, budget)
        value = one(forward, view)
        if view.output == "states":
            assert value.hidden.shape[:2] == value.mask.shape
            sides = [value] if value.paired is None else [value, value.paired]
            value = torch.cat([s.hidden * s.mask.unsqueeze(-1) for s in sides], 1)
        outs.append(value.detach())
        if value.requires_grad:
            value.square().sum().backward()
            grads.append(
                [
                    p.grad.clone()
                    for p in forward.active_module.module.parameters()
                    if p.grad is not None
                ]
            )
    for other in outs[1:]:
        assert torch.allclose(other, outs[0], atol=1e-5)
    for other in grads[1:]:
        for a, b in zip(other, grads[0], strict=True):
            assert (a - b).abs().max() <= 1e-3 * b.abs().max()


def test_one_process_encodes_gathered_rows_and_its_own_together(encoder):
    forward = make(encoder)
    views = [
        Request(EncodeView([[2, 7, 3], [2, 8, 3]]), True),
        Request(EncodeView([[2, 9, 3]]), False),
    ]
    calls = []
    layer = encoder.sites(0, "ffn_in")[0].module
    counted = layer.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    together = forward(views)
    counted.remove()
    assert calls == [3]
    for request, vectors in zip(views, together, strict=True):
        assert torch.allclose(forward([request])[0], vectors, atol=1e-6)


@pytest.mark.parametrize(("family", "padded"), [("modernbert", 10), ("bert", 8)])
def test_padding_is_counted(family, padded):
    """Two lines of 5, or one of 8 where rows share lines."""
    forward = make(tiny_encoder(family))
    one(forward, EncodeView([[2, 7, 3], [2, 7, 8, 9, 3]]))
    assert (forward.tokens, forward.padded) == (8, padded)


def test_states_at_a_layer(encoder):
    forward = make(encoder)
    tokens, mask = encoder.batch(encoder.tokenize(TEXTS))
    acts = forward.active_module.activation()
    expected = encoder.run(
        encoder.embed(tokens, mask, activation=acts), mask, 0, 2, activation=acts
    )
    states = one(forward, EncodeView(TEXTS, output="states", layer=2))
    real = mask.bool()
    assert torch.allclose(states.hidden[real], expected[real], atol=1e-5)
    vectors = one(forward, EncodeView(TEXTS, layer=2, module=False))
    plain = encoder.run(encoder.embed(tokens, mask), mask, 0, 2)
    assert torch.allclose(vectors, encoder.pool(plain, mask), atol=1e-5)
    assert not vectors.requires_grad


@pytest.mark.parametrize("family", FAMILIES)
def test_fused_is_the_joined_row_in_the_fused_layers(family):
    """One pair alone, by hand; and beside longer rows, whose padding must not count."""
    if family == "deberta-v2-conv":
        return  # its convolution runs after the first layer alone, also of the joined row
    encoder = tiny_encoder(family)
    forward = make(encoder)
    left, right = TEXTS[0], TEXTS[3]
    sides = []
    acts = forward.active_module.activation()
    run = partial(encoder.run, activation=acts)
    for text in (left, right):
        tokens, mask = encoder.batch(encoder.tokenize([text]))
        sides.append((run(encoder.embed(tokens, mask, activation=acts), mask, 0, 1), mask))
    (a, a_mask), (b, b_mask) = sides
    joined = run(torch.cat([a, b], 1), torch.cat([a_mask, b_mask], 1), 1, 3)
    a_out = run(joined[:, : a.shape[1]], a_mask, 3)
    b_out = run(joined[:, a.shape[1] :], b_mask, 3)
    alone = one(forward, FusedView([left], [right], (1, 3)))
    assert torch.allclose(alone.hidden, a_out, atol=1e-5)
    assert torch.allclose(alone.paired.hidden, b_out, atol=1e-5)
    rows, beside = [TEXTS[1], left, TEXTS[2]], [TEXTS[0], right, TEXTS[6]]
    padded = one(forward, FusedView(rows, beside, (1, 3)))
    assert torch.allclose(padded.hidden[1, : a.shape[1]], a_out[0], atol=1e-4)
    assert torch.allclose(padded.paired.hidden[1, : b.shape[1]], b_out[0], atol=1e-4)
    assert padded.mask.sum(1).tolist() == [len(r) for r in encoder.tokenize(rows)]


def test_a_companion_acts_alone_and_without_gradient(encoder):
    teacher = ActiveModule(encoder, shaken(module_for(encoder), seed=9, scale=0.1))
    forward = make(encoder, companions={"teacher": teacher})
    taught = one(forward, TeacherView(TEXTS, "teacher"))
    expected = pooled(encoder, encoder.tokenize(TEXTS), teacher.activation())
    assert torch.allclose(taught, expected, atol=1e-5) and not taught.requires_grad
    assert (taught - one(forward, EncodeView(TEXTS))).abs().max() > 1e-2


def test_no_rows(encoder):
    forward = make(encoder)
    assert one(forward, EncodeView([])).shape == (0, 32)
    assert one(forward, EncodeView([], module=False)).shape == (0, 32)
    assert forward([]) == []


@pytest.mark.parametrize("output", ["states", "pooled"])
def test_second_segments_are_told_row_by_row(output):
    """However rows are cut into forwards, each has its own token types."""
    encoder = tiny_encoder("bert")
    ids = [tuple(row) for row in encoder.tokenize(TEXTS)]
    second = [1 + i % 4 for i in range(len(ids))]
    view = EncodeView(ids, output=output, second=second)
    forward = make(encoder, budget=24)
    found = one(forward, view)
    for position, row in enumerate(ids):
        tokens, mask = encoder.batch([row])
        acts = forward.active_module.activation()
        hidden = encoder.embed(tokens, mask, [second[position]], acts)
        states = encoder.run(hidden, mask, activation=acts)
        if output == "pooled":
            torch.testing.assert_close(found[position], encoder.pool(states, mask)[0])
        else:
            own = found.hidden[position, : len(row)]
            torch.testing.assert_close(own, states[0], atol=1e-5, rtol=1e-5)
    bare = one(forward, EncodeView(ids, output="pooled"))
    told = one(forward, EncodeView(ids, output="pooled", second=second))
    assert (told - bare).abs().amax(1).min() > 1e-4


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "mixture_of_loras"])
def test_a_gradient_cache_gives_the_gradients_of_the_whole_and_keeps_one_forward(kind):
    encoder = tiny_encoder()
    options = {"mixture_of_loras": {"entropy": 0.3, "balance": 0.2}}.get(kind, {})
    found = []
    for budget, cached in ((4096, False), (40, False), (40, True)):
        module = shaken(module_for(encoder, kind, **({"layers": "all"} | options)), 1, 0.1)
        acting = ActiveModule(encoder, module)
        frozen = FrozenVectors(encoder, None)
        run = Forward(
            encoder, acting, frozen, DistributedContext(cpu=True), budget, grad_cache=cached
        )
        views = [
            EncodeView(TEXTS),
            EncodeView(TEXTS[::-1], output="states"),
            EncodeView(TEXTS[:2], module=False),
        ]
        kept: list[int] = []
        watch(module)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, own=kept: (own.append(t.numel()), t)[1], lambda t: t
        ):
            vectors, states, _ = run([Request(view, True) for view in views])
        similar = vectors @ vectors.T
        loss = similar.logsumexp(1).sum() + (states.hidden * states.mask[..., None]).square().mean()
        (loss + sum(penalties(module).values())).backward()
        found.append((loss.detach(), [p.grad for p in module.parameters()], sum(kept)))
    (whole, grads, much), (_, chunked, _), (same, cached_grads, little) = found
    assert torch.allclose(whole, same, rtol=1e-5) and little < much / 5
    for one, two, three in zip(grads, chunked, cached_grads, strict=True):
        assert torch.equal(two, three)
        assert (one - three).abs().max() <= 1e-4 * one.abs().max().clamp(min=1e-3)


@pytest.mark.parametrize(("family", "padded"), [("bert", 22), ("xlmr", 22), ("modernbert", 5 * 9)])
def test_rows_that_share_lines_learn_as_alone(family, padded):
    """Lengths 9, 4, 4, 3 and 2: all on one line."""
    encoder = tiny_encoder(family)
    rows = [[2, *range(5, 12), 3], [2, 5, 6, 3], [2, 7, 8, 3], [2, 9, 3], [2, 3]]
    forward = make(encoder)
    parameters = list(forward.active_module.module.parameters())
    weights = torch.randn(len(rows), encoder.width)
    vectors = one(forward, EncodeView(rows))
    found = torch.autograd.grad((vectors * weights).sum(), parameters)
    assert forward.padded == padded and forward.tokens == sum(map(len, rows))
    acts = forward.active_module.activation()
    alone = torch.cat([pooled(encoder, [row], acts) for row in rows])
    expected = torch.autograd.grad((alone * weights).sum(), parameters)
    assert torch.allclose(vectors, alone, atol=1e-5)
    for own, wanted in zip(found, expected, strict=True):
        assert torch.allclose(own, wanted, atol=1e-4)


def test_rows_under_a_router_keep_a_line_each():
    encoder = tiny_encoder()
    routed = build("mixture_of_loras", {"experts": 2}, model_shape(encoder))
    frozen = FrozenVectors(encoder, None)
    forward = Forward(
        encoder, ActiveModule(encoder, routed), frozen, DistributedContext(cpu=True), 4096
    )
    assert not forward.active_module.by_token and make(encoder).active_module.by_token
    one(forward, EncodeView([[2, 5, 6, 7, 3], [2, 3], [2, 3, 3]]))
    assert forward.padded == 15
