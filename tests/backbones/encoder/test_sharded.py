"""A base that two processes share gives each of them the values of the whole base, to the bit."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from forked import together
from tiny_loras import modules
from tiny_models import TEXTS, padded, tiny_encoder

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.sharded import shard_layers
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.merging import merged


def trained_once(encoder: Encoder, adapter: ActiveAdapter, rank: int) -> list[torch.Tensor]:
    """Vectors of a process's own rows with a LoRA, and the gradients of a loss over them."""
    acts = Activation.of(adapter)
    tokens, mask = (one.roll(rank, 0)[:3] for one in padded(encoder))
    adapter.module.zero_grad()
    states = encoder.run(encoder.embed(tokens, mask, activation=acts), mask, activation=acts)
    vectors = encoder.pool(states, mask)
    (vectors**2).sum().backward()
    return [vectors.detach(), *(p.grad.clone() for p in adapter.module.parameters())]


def held(encoder: Encoder) -> int:
    layers = encoder.model.get_submodule(encoder.family.layers)
    return sum(getattr(p, "_local_tensor", p).numel() for p in layers.parameters())


def compare(families: tuple[str, ...]) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    for family in families:
        encoder = tiny_encoder(family)
        whole = held(encoder)
        adapter = ActiveAdapter(encoder, modules(encoder)["a"], batched=True)
        wanted = trained_once(encoder, adapter, rank)
        vectors = encode(encoder, list(TEXTS))
        assert shard_layers(encoder) is encoder
        for _ in range(2):  # without gradient first, and then again with the same buffers
            assert torch.equal(encode(encoder, list(TEXTS)), vectors), family
            found = trained_once(encoder, adapter, rank)
            assert all(map(torch.equal, found, wanted)), family
        assert len(found) > 10 and 2 * held(encoder) == whole, family
        assert encoder.fingerprint == tiny_encoder(family).fingerprint, family
        if adapter.updates is not None:
            with pytest.raises(UserError, match="sharded"), merged(encoder, adapter.updates, None):
                pass


def test_two_processes_that_share_a_base_compute_what_each_would_alone() -> None:
    together(lambda: compare(("bert", "deberta-v3", "modernbert", "t5")))


def test_without_processes_there_is_nothing_to_share() -> None:
    with pytest.raises(UserError, match="no group of processes"):
        shard_layers(tiny_encoder("bert"))
