"""How positions are split over processes; what travels between them is tested under torchrun."""

from __future__ import annotations

import pytest
import torch

from xadapt.backbones import shared_forwards as shared
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.inference.bulk.encoding import _own_rows


def at(rank: int, world: int) -> DistributedContext:
    context = DistributedContext(cpu=True)
    context.rank, context.world = rank, world
    return context


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 20])
def test_every_position_has_one_owner(world, count):
    every = [at(rank, world) for rank in range(world)]
    for position in range(count):
        assert [c.rank for c in every if c.owns(position)] == [position % world]
    for context in every:
        assert context.share(count) == [i for i in range(count) if context.owns(i)]
    sizes = [len(context.share(count)) for context in every]
    assert sum(sizes) == count and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 35])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_rows_of_all_shards_are_those_of_the_text(rows, world):
    shards = [range(start, min(rows, start + 10)) for start in range(0, rows, 10)]
    for rank in range(world):
        own = [len(shard) for number, shard in enumerate(shards) if number % world == rank]
        assert _own_rows(rows, 10, at(rank, world)) == sum(own)


def test_training_encoding_and_shards_speak_of_the_same_context():
    assert DistributedContext is DistributedContext
    one = DistributedContext(cpu=True)
    assert (one.rank, one.world, one.main) == (0, 1, True)
    with shared.sharing(one):
        assert shared.is_first() and shared.by_first(lambda: 3) == 3
    assert one.from_main(lambda: 4) == 4 and one.from_each(5) == [5]
    assert float(one.total(torch.tensor(2.0))) == 2.0 and one.any(True) and not one.any(False)


@pytest.mark.parametrize("name", ["FSDP", "DEEPSPEED", "MEGATRON_LM"])
def test_a_launch_that_would_shard_the_base_is_refused(monkeypatch, name):
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "false")
    assert DistributedContext(cpu=True).world == 1
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    with pytest.raises(UserError, match="every process holds the base whole"):
        DistributedContext(cpu=True)
