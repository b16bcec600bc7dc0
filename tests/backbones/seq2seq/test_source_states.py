"""Cached sources are what the encoder computes, also from disk, and no module is in them."""

from __future__ import annotations

import torch
from tiny_seq2seq_training import module_of, shaken, small

from xadapt.backbones.seq2seq.source_states import SourceStates
from xadapt.injection.activation import Activation, ActiveAdapter

ROWS = [(5, 9, 12, 1), (7, 1), (8, 8, 19, 6, 4, 1)]


@torch.no_grad()
def test_cached_states_are_those_of_a_forward_and_are_found_on_disk_again(tmp_path):
    seq2seq = small()
    for turn in range(2):
        cache = SourceStates(seq2seq, tmp_path)
        assert not cache.has(ROWS)
        cache.add(ROWS)
        assert cache.has(ROWS) and cache._cache.reused == 3 * turn
        found = cache.batch([ROWS[2], ROWS[0]])
        wanted = seq2seq.encode([ROWS[2], ROWS[0]])
        assert torch.equal(found.mask, wanted.mask)
        real = wanted.mask.bool()
        torch.testing.assert_close(found.states[real], wanted.states[real], atol=1e-6, rtol=0)


@torch.no_grad()
def test_no_active_module_is_in_the_cache():
    seq2seq = small()
    module = shaken(module_of(seq2seq, sites=["encoder_ffn_in"]))
    cache, bare = SourceStates(seq2seq, None), SourceStates(seq2seq, None)
    with seq2seq.active(Activation.of(ActiveAdapter(seq2seq, module))):
        cache.add(ROWS)
        assert not torch.allclose(cache.batch(ROWS).states, seq2seq.encode(ROWS).states)
    bare.add(ROWS)
    assert torch.equal(cache.batch(ROWS).states, bare.batch(ROWS).states)


def test_sources_beyond_the_limit_are_not_kept(caplog):
    cache = SourceStates(small(), None, limit=100)
    cache.add(ROWS)
    assert not cache.has(ROWS[:1]) and "3 sources would take too much" in caplog.text
