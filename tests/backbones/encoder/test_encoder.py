from __future__ import annotations

import pytest
import torch
from tiny_models import (
    DEPTH,
    FAMILIES,
    TEXTS,
    WIDTH,
    padded,
    tiny,
    tiny_encoder,
    tiny_folder,
)

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pooling import Pooling
from xadapt.core.errors import UserError


def plain(encoder, tokens, mask):
    return encoder.model(input_ids=tokens, attention_mask=mask)[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_run_over_all_layers_is_the_plain_model(family):
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    assert 0 < mask.sum() < mask.numel()
    states = encoder.run(encoder.embed(tokens, mask), mask)
    assert states.shape == (len(tokens), tokens.shape[1], WIDTH)
    assert torch.allclose(states, plain(encoder, tokens, mask), atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_cut_anywhere_is_uncut(family):
    encoder = tiny_encoder(family, seed=1)
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    whole = encoder.run(hidden, mask)
    for cut in range(DEPTH + 1):
        low = encoder.run(hidden, mask, 0, cut)
        assert torch.equal(encoder.run(low, mask, cut), whole)
    for layer in range(DEPTH):
        hidden = encoder.run(hidden, mask, layer, layer + 1)
    assert torch.equal(hidden, whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_matter_and_no_layers_is_identity(family):
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    assert torch.equal(encoder.run(hidden, mask, 1, 1), hidden)
    for layer in range(DEPTH):
        moved = encoder.run(hidden, mask, layer, layer + 1)
        assert (moved - hidden).abs().max() > 1e-2


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_nothing_on_real_tokens(family):
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    short = int(mask.sum(1).argmin())
    length = int(mask[short].sum())
    alone, one = tokens[short : short + 1, :length], mask[short : short + 1, :length]
    a = encoder.run(encoder.embed(alone, one), one)[0]
    b = encoder.run(encoder.embed(tokens, mask), mask)[short, :length]
    assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_runs_as_the_plain_model(family):
    encoder = tiny_encoder(family)
    encoder.model.to(torch.bfloat16)
    tokens, mask = padded(encoder)
    states = encoder.run(encoder.embed(tokens, mask).float(), mask)
    assert states.dtype == encoder.dtype == torch.bfloat16
    assert torch.equal(states, plain(encoder, tokens, mask))
    assert encoder.pool(states, mask).dtype == torch.float32


@pytest.mark.parametrize("family", FAMILIES)
def test_frozen_and_gradient_flows_to_the_states(family):
    encoder = tiny_encoder(family)
    assert not any(p.requires_grad for p in encoder.model.parameters())
    assert not any(m.training for m in encoder.model.modules())
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    assert not hidden.requires_grad
    hidden = hidden.clone().requires_grad_()
    encoder.pool(encoder.run(hidden, mask, 2), mask).square().sum().backward()
    real = mask.bool()
    assert hidden.grad[real].abs().sum(-1).min() > 0
    assert hidden.grad[~real].abs().max() < 1e-6
    assert all(p.grad is None for p in encoder.model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_hooks_of_the_model_act_in_slices_also_later_ones(family):
    encoder = tiny_encoder(family)
    tokens, mask = padded(encoder)
    hidden = encoder.embed(tokens, mask)
    before = encoder.run(hidden, mask, 1, 3)
    for layer, acts in ((0, False), (1, True), (2, True), (3, False)):
        for site in ("q", "v", "attn_out", "ffn_in", "ffn_out"):
            linear = encoder.sites(layer, site)[0].module
            handle = linear.register_forward_hook(lambda m, i, o: o + 0.5 * torch.sin(i[0].mean()))
            changed = encoder.run(hidden, mask, 1, 3)
            handle.remove()
            if site != "q" or not acts:
                assert torch.equal(changed, before) != acts, (layer, site)
    assert torch.equal(encoder.run(hidden, mask, 1, 3), before)


def test_embed_twice_in_other_lengths():
    encoder = tiny_encoder("xlmr")
    for texts in (TEXTS[:1], TEXTS):
        tokens, mask = padded(encoder, texts)
        assert torch.allclose(
            encoder.model.embeddings(input_ids=tokens), encoder.embed(tokens, mask), atol=0
        )


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, DEPTH + 1), (DEPTH + 1, None)])
def test_a_range_outside_the_base_is_refused(start, stop):
    encoder = tiny_encoder()
    tokens, mask = padded(encoder)
    with pytest.raises(UserError, match="layers"):
        encoder.run(encoder.embed(tokens, mask), mask, start, stop)


def test_tokenize_and_batch():
    encoder = tiny_encoder(pooling=Pooling(prompt="query: ", max_length=8))
    rows = encoder.tokenize(["the cat", "the cat sat on the mat and a dog runs"])
    again = tiny_encoder().tokenizer("query: the cat")["input_ids"]
    assert rows[0] == again
    assert len(rows[1]) == encoder.max_length == 8
    assert rows[1][-1] == encoder.tokenizer.sep_token_id
    tokens, mask = encoder.batch([[2, 7, 3], [2, 3]])
    assert tokens.tolist() == [[2, 7, 3], [2, 3, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert encoder.tokenize([]) == []
    assert encoder.batch([])[0].shape == (0, 0)


def test_lower_casing_is_the_bases_wish():
    plain_rows = tiny_encoder().tokenize(["the cat"])
    assert tiny_encoder(pooling=Pooling(lower=True)).tokenize(["THE Cat"]) == plain_rows
    assert tiny_encoder().tokenize(["THE Cat"]) != plain_rows


def test_a_prompt_left_out_of_the_pooling():
    left_out = tiny_encoder(pooling=Pooling(prompt="query: ", include_prompt=False))
    tokens, mask = left_out.batch(left_out.tokenize(["the cat"]))
    states = left_out.run(left_out.embed(tokens, mask), mask)
    n = len(left_out.tokenizer("query: ")["input_ids"]) - 1
    assert 1 < n < tokens.shape[1]
    expected = states[0, n:].mean(0)
    assert torch.allclose(left_out.pool(states, mask)[0], expected, atol=1e-6)
    assert mask.all()


@pytest.mark.parametrize("family", FAMILIES)
def test_from_a_folder(family, tmp_path):
    folder = tiny_folder(tmp_path / "base", family, seed=3)
    encoder = Encoder.from_pretrained(str(folder), dtype="float32", device="cpu")
    same, _ = tiny(family, seed=3)
    memory = Encoder.wrap(same, encoder.tokenizer)
    tokens, mask = padded(encoder)
    assert torch.equal(encoder.embed(tokens, mask), memory.embed(tokens, mask))
    a, b = (e.run(e.embed(tokens, mask), mask) for e in (encoder, memory))
    assert torch.allclose(a, b, atol=1e-6)
    assert encoder.pooling == Pooling()
    half = Encoder.from_pretrained(str(folder), dtype="bfloat16", device="cpu")
    assert half.dtype == torch.bfloat16
    assert half.fingerprint == encoder.fingerprint == memory.fingerprint
