from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import TEXTS, WIDTH, tiny_encoder
from tiny_training import module_for, shaken

from xadapt.backbones.encoder.encode import chunks, dimension, encode, pooled
from xadapt.backbones.encoder.pooling import Pooling
from xadapt.injection.activation import Activation, ActiveAdapter


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_chunks_hold_each_position_once_within_the_budget(lengths, budget):
    found = list(chunks(lengths, budget))
    assert sorted(i for chunk in found for i in chunk) == list(range(len(lengths)))
    for chunk in found:
        longest = max(lengths[i] for i in chunk)
        assert len(chunk) == 1 or len(chunk) * longest <= budget or longest == 0
    order = [lengths[i] for chunk in found for i in chunk]
    assert order == sorted(lengths, reverse=True)


def test_order_and_budget_do_not_matter():
    encoder = tiny_encoder()
    texts = [*TEXTS, TEXTS[0], ""]
    told = []
    whole = encode(encoder, texts, progress=told.append)
    assert sum(told) == len(texts) and whole.shape == (len(texts), WIDTH)
    assert whole.dtype == torch.float32 and not whole.is_inference()
    assert torch.equal(whole[0], whole[7])
    for budget in (1, 20, 60):
        assert torch.allclose(encode(encoder, texts, batch_tokens=budget), whole, atol=1e-5)
    back = encode(encoder, texts[::-1])
    assert torch.allclose(back.flip(0), whole, atol=1e-5)
    one = torch.cat([pooled(encoder, encoder.tokenize([t])) for t in texts])
    assert torch.allclose(one, whole, atol=1e-5)


def test_no_texts_and_other_poolings():
    encoder = tiny_encoder(pooling=Pooling(modes=("cls", "mean")))
    assert dimension(encoder) == 2 * WIDTH == encode(encoder, TEXTS).shape[1]
    assert encode(encoder, []).shape == (0, 2 * WIDTH)


def test_rows_may_have_different_modules():
    encoder = tiny_encoder()
    adapter = ActiveAdapter(encoder, shaken(module_for(encoder)))
    bare = encode(encoder, TEXTS)
    through = encode(encoder, TEXTS, rows=Activation.of(adapter))

    def rows(chunk):
        return Activation.of(adapter, [at for at, n in enumerate(chunk) if n % 2])

    mixed = encode(encoder, TEXTS, batch_tokens=40, rows=rows)
    assert torch.allclose(mixed[1::2], through[1::2], atol=1e-5)
    assert torch.allclose(mixed[::2], bare[::2], atol=1e-5)
    assert (through - bare).abs().max() > 1e-2
