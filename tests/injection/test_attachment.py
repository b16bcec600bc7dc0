from __future__ import annotations

import copy

import pytest
import torch
from tiny_models import DEPTH, FAMILIES, VOCAB, WIDTH, padded, tiny_encoder
from tiny_training import digest, forward, hooks_do_nothing, module_for, shaken
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import embedding_table
from xadapt.modules.hooks import BELOW, EMBEDDINGS, AdapterHook

KINDS = {
    "lora": {"rank": 2, "sites": ["q", "k", "v", "attn_out", "ffn_in", "ffn_out"]},
    "bottleneck": {"width": 4},
    "parallel": {"width": 4, "after": "ffn", "form": "parallel"},
}


def make(encoder, kind, seed=0, **more):
    name = "bottleneck" if kind == "parallel" else kind
    return shaken(module_for(encoder, name, **KINDS[kind], **more), seed)


@pytest.fixture(scope="module", params=FAMILIES)
def base(request):
    encoder = tiny_encoder(request.param)
    tokens, mask = padded(encoder)
    return encoder, tokens, mask, forward(encoder, tokens, mask)


@pytest.mark.parametrize("kind", KINDS)
def test_off_is_the_base_bitwise_and_on_is_not(base, kind):
    encoder, tokens, mask, plain = base
    weights = digest(encoder.model)
    adapter = ActiveAdapter(encoder, make(encoder, kind))
    assert torch.equal(forward(encoder, tokens, mask), plain)
    on = forward(encoder, tokens, mask, Activation.of(adapter))
    real = mask.bool()
    assert (on - plain)[real].abs().amax(-1).min() > 1e-3
    for nothing in (Activation.of(adapter, []), Activation.by_row([None] * 4), Activation(), None):
        assert torch.equal(forward(encoder, tokens, mask, nothing), plain)
    assert digest(encoder.model) == weights
    assert hooks_do_nothing(encoder)


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_rows_are_separate_runs(base, kind):
    encoder, tokens, mask, plain = base
    one, two = make(encoder, kind), make(encoder, "lora", seed=1)
    first, second = ActiveAdapter(encoder, one), ActiveAdapter(encoder, two)
    only_one, only_two, mixed, shared, both = (
        forward(encoder, tokens, mask, Activation.several(groups))
        for groups in (
            [(first, None)],
            [(second, None)],
            [(first, [3, 1, 1]), (second, [2])],
            [(first, [0, 1]), (second, None)],
            [(first, None), (second, None)],
        )
    )
    assert torch.allclose(mixed[[1, 3]], only_one[[1, 3]], atol=1e-5)
    assert torch.allclose(mixed[2], only_two[2], atol=1e-5)
    assert torch.allclose(mixed[0], plain[0], atol=1e-5)
    assert torch.allclose(shared[:2], both[:2], atol=1e-5)
    assert torch.allclose(shared[2:], only_two[2:], atol=1e-5)
    if not encoder.family.name.startswith("DeBERTa"):  # it sees groups of rows apart
        assert torch.equal(mixed[0], plain[0])


def test_slices_of_the_layers_see_the_module(base):
    encoder, tokens, mask, plain = base
    adapter = ActiveAdapter(encoder, make(encoder, "lora", layers=[1, 3]))
    assert adapter.first_layer == 1
    acts = Activation.of(adapter)
    hidden = encoder.embed(tokens, mask, activation=acts)
    whole = encoder.run(hidden, mask, activation=acts)
    low = encoder.run(hidden, mask, 0, adapter.first_layer, activation=acts)
    assert torch.equal(encoder.run(low, mask, 1, activation=acts), whole)
    assert torch.equal(encoder.run(encoder.embed(tokens, mask), mask, 0, 1), low)
    assert (whole - plain).abs().max() > 1e-3


def test_two_loras_add_up_in_one_layer():
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    hidden = encoder.run(encoder.embed(tokens, mask), mask, 0, 3)
    seen = []
    hook = encoder.sites(3, "v")[0].module
    one, two = (shaken(module_for(encoder, sites=["v"], layers=[3, 4], rank=2), s) for s in (0, 1))
    first, second = ActiveAdapter(encoder, one), ActiveAdapter(encoder, two)
    handle = hook.register_forward_hook(lambda m, i, o: seen.append(o))
    for turn in ((), (first,), (second,), (first, second)):
        acts = Activation.several([(adapter, None) for adapter in turn])
        encoder.run(hidden, mask, 3, activation=acts)
    handle.remove()
    plain, a, b, both = seen
    assert torch.allclose(both, a + b - plain, atol=1e-5)


def test_a_later_bottleneck_reads_what_the_earlier_one_wrote():
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    kind = {"width": 4, "after": "ffn", "layers": [3, 4]}
    one, two = (shaken(module_for(encoder, "bottleneck", **kind), s) for s in (0, 1))
    first, second = ActiveAdapter(encoder, one), ActiveAdapter(encoder, two)
    seen = []
    site = encoder.sites(3, "ffn_out")[0].module
    site.register_forward_hook(lambda m, i, o: seen.append((m.forward(i[0]), o)))
    forward(encoder, tokens, mask, Activation.several([(first, None), (second, None)]))
    y, out = seen[0]
    f, g = (m.hooks()[0].fn for m in (one, two))
    assert torch.allclose(out, y + f(y) + g(y + f(y)), atol=1e-5)
    assert not torch.allclose(out, y + f(y) + g(y), atol=1e-3)


def test_an_error_inside_a_forward_leaves_nothing_behind():
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    plain = forward(encoder, tokens, mask)
    acts = Activation.of(ActiveAdapter(encoder, make(encoder, "lora")))
    on = forward(encoder, tokens, mask, acts)
    site = encoder.sites(2, "v")[0].module
    broken = site.register_forward_hook(lambda m, i, o: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        forward(encoder, tokens, mask, acts)
    broken.remove()
    assert torch.equal(forward(encoder, tokens, mask), plain)
    assert torch.equal(forward(encoder, tokens, mask, acts), on)


def test_an_adapter_made_for_another_base_is_refused():
    encoder, other = tiny_encoder(), tiny_encoder()
    acts = Activation.of(ActiveAdapter(other, make(other, "lora")))
    tokens, mask = padded(encoder)
    with pytest.raises(UserError, match="made ready for another base"):
        encoder.embed(tokens, mask, activation=acts)
    with pytest.raises(UserError, match="made ready for another base"):
        encoder.run(encoder.embed(tokens, mask), mask, activation=acts)
    again = Encoder.wrap(other.model, other.tokenizer)  # around the same model it is the same base
    assert torch.equal(forward(again, tokens, mask, acts), forward(other, tokens, mask, acts))


def test_batched_adapters_on_some_rows_go_by_row():
    encoder = tiny_encoder()
    adapter = ActiveAdapter(encoder, make(encoder, "lora"), batched=True)
    with pytest.raises(ValueError, match="by_row"):
        Activation.of(adapter, [0])


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
def test_a_copy_of_the_model_is_a_base_of_its_own(family):
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    module = make(encoder, "lora")
    on = forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, module)))
    plain = forward(encoder, tokens, mask)
    twin = Encoder.wrap(copy.deepcopy(encoder.model), encoder.tokenizer)
    for parameter in encoder.model.parameters():
        parameter.zero_()
    assert torch.equal(forward(twin, tokens, mask), plain)
    assert torch.equal(forward(twin, tokens, mask, Activation.of(ActiveAdapter(twin, module))), on)


def test_gradients_reach_the_module_and_never_the_base(base):
    encoder, tokens, mask, _ = base
    module = make(encoder, "lora")
    acts = Activation.of(ActiveAdapter(encoder, module))
    encoder.pool(forward(encoder, tokens, mask, acts), mask).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())
    assert all(p.grad is None for p in encoder.model.parameters())


def test_a_module_of_a_deeper_or_other_base_is_refused():
    deep = tiny_encoder(num_hidden_layers=DEPTH + 1)
    with pytest.raises(UserError, match=f"layer {DEPTH + 1}, which this base of {DEPTH} layers"):
        ActiveAdapter(tiny_encoder(), module_for(deep))
    shallow = tiny_encoder()
    with pytest.raises(UserError, match="ffn_in 2 of layer 1"):
        ActiveAdapter(shallow, module_for(tiny_encoder("mt5"), sites=["ffn_in"]))
    assert not any(m._forward_hooks for m in shallow.model.modules())


class Embedded(nn.Module):
    """A sketch module at the word embeddings."""

    kind = "embedded"

    def __init__(self, fn, reads):
        super().__init__()
        self.fn, self.reads = fn, reads

    def hooks(self):
        return [AdapterHook(BELOW, EMBEDDINGS, 0, self.reads, self.fn)]


class Extra(nn.Module):
    """One vector for the first id beyond the vocabulary, nothing for the others."""

    def __init__(self):
        super().__init__()
        self.row = nn.Parameter(torch.ones(WIDTH))

    def forward(self, ids):
        return (ids == VOCAB).unsqueeze(-1) * self.row


def test_a_module_can_change_word_embeddings(base):
    encoder, tokens, mask, plain = base
    turned = nn.Linear(WIDTH, WIDTH, bias=False)
    turned.weight.data = torch.eye(WIDTH).roll(1, 0)
    adapter = ActiveAdapter(encoder, Embedded(turned, "output"))
    assert adapter.first_layer == -1
    seen = []
    hook = embedding_table(encoder).register_forward_hook(lambda m, i, o: seen.append(o))
    encoder.embed(tokens, mask)
    encoder.embed(tokens, mask, activation=Activation.of(adapter))
    changed = forward(encoder, tokens, mask, Activation.of(adapter))
    mixed = forward(encoder, tokens, mask, Activation.of(adapter, [2]))
    hook.remove()
    assert torch.equal(seen[1], seen[0] + seen[0].roll(1, -1))
    assert (changed - plain).abs().max() > 1e-3
    assert torch.allclose(mixed[2], changed[2], atol=1e-5) and torch.equal(mixed[0], plain[0])


def test_a_module_owns_the_ids_beyond_the_vocabulary(base):
    encoder, tokens, mask, plain = base
    module = Embedded(Extra(), "ids")
    adapter = ActiveAdapter(encoder, module)
    on = forward(encoder, tokens, mask, Activation.of(adapter))
    assert torch.equal(on, plain)  # no such id: nothing changes
    asked = tokens.clone()
    asked[1, 1] = VOCAB
    table = embedding_table(encoder)
    seen = []
    hook = table.register_forward_hook(lambda m, i, o: seen.append(o))
    some = Activation.of(adapter, [1, 2])
    encoder.pool(forward(encoder, asked, mask, some), mask).sum().backward()
    hook.remove()
    assert torch.equal(seen[0][1, 1], torch.ones(WIDTH))
    assert torch.equal(seen[0][0], table(tokens)[0]) and module.fn.row.grad.abs().max() > 0
    with pytest.raises(IndexError):
        forward(encoder, asked, mask, Activation.of(adapter, [0]))
    with pytest.raises(IndexError):
        forward(encoder, asked, mask)
