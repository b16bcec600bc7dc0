from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import pairs, plain
from torch import nn

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.objectives.contract import Loss
from xadapt.objectives.distillation import Distillation
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.tasks import Task, make_heads

ONE = DistributedContext(cpu=True)


@dataclass
class Rank:
    """A process of several, without the others."""

    rank: int
    world: int = 2
    state: object = field(default_factory=lambda: ONE.state)

    def share(self, n):
        return list(range(self.rank, n, self.world))


def test_records_of_the_wrong_kind_or_none_are_refused():
    with pytest.raises(UserError, match="there are no records to train x on"):
        Task("x", Distillation(), [])
    with pytest.raises(UserError, match="x trains on ParallelPair, and the data holds PlainText"):
        Task("x", Distillation(), plain(1))


@pytest.mark.parametrize(("share", "count"), [(1.0, 8), (0.5, 4), (0.25, 2), (0.01, 1)])
def test_a_share_of_each_batch_drawn_anew(share, count):
    records = pairs(20)
    task = Task("x", Distillation(), records, share=share)
    batch = [3, 19, 7, 0, 11, 4, 15, 2]
    seen = [task.views(batch, random.Random(s), {}, ONE).records for s in range(6)]
    assert all(len(r) == count and set(r) <= {records[i] for i in batch} for r in seen)
    assert task.views(batch, random.Random(0), {}, ONE).records == seen[0]
    assert share == 1 or len({tuple(r) for r in seen}) > 1


def test_processes_split_records_of_uncoupled_objectives_alone():
    records = pairs(7)
    for objective, coupled in ((Distillation(), False), (TranslationRanking(), True)):
        task = Task("x", objective, records)
        shares = [task.views(range(7), random.Random(0), {}, Rank(r)) for r in range(2)]
        assert all(r.gathered == coupled for s in shares for r in s.requests)
        if coupled:
            assert shares[0].records == shares[1].records == records
        else:
            assert sorted(map(str, shares[0].records + shares[1].records)) == sorted(
                map(str, records)
            )
    short = Task("x", Distillation(), records).views([4], random.Random(0), {}, Rank(1))
    assert short.records == [] and short.requests == []


def test_the_split_does_not_change_the_draws():
    encoder = tiny_encoder(mlm=True)
    task = Task("mlm", MaskedLanguageModelling(), plain(9))
    services = {"tokenizer": encoder.tokenizer, "tokenize": encoder.tokenize}

    def rows(processes):
        made = task.views(range(9), random.Random(1), services, processes)
        return dict(zip(made.records, map(tuple, made.requests[0].view.rows), strict=True))

    assert rows(ONE) == rows(Rank(0)) | rows(Rank(1))


def test_constant_texts_are_bank_and_frozen_views():
    records = pairs(5)
    ranking = Task("r", TranslationRanking(), records)
    pivots = [r.pivot for r in records]
    assert set(ranking.constant_texts({})) == set(pivots)
    assert list(Task("d", Distillation(), records).constant_texts({})) == pivots
    both = Task("r", TranslationRanking(negatives="batch", pivot="active"), records)
    assert list(both.constant_texts({})) == []
    encoder = tiny_encoder()
    ranking.make_bank(FrozenVectors(encoder, None))
    assert ranking.bank.vectors.shape == (len(set(pivots)), 32)
    assert not ranking.bank.vectors.requires_grad


def test_the_longest_text_in_tokens_of_each_record():
    records = [ParallelPair("a b c", "one_long_word", "de"), ParallelPair("b", "two words", "de")]
    task = Task("x", Distillation(), records)
    assert task.longest(lambda texts: [text.split() for text in texts]) == ["a b c", "two words"]


def test_names_that_belong_to_a_type_are_no_texts_of_its_records():
    """What a type says of itself, such as its unit, once decided how pairs were batched."""
    records = [ParallelPair("a", "b", "de"), ParallelPair("", "", "")]
    longest = Task("x", Distillation(), records).longest(lambda texts: [list(t) for t in texts])
    assert longest == ["de", "en"]  # the tags, as for records of any type


@dataclass(frozen=True)
class Fixed:
    """Losses as given."""

    values: tuple = (1.0, 3.0)
    weights: tuple | None = None
    consumes: ClassVar[type] = ParallelPair
    coupled: ClassVar[bool] = False

    def views(self, records, rng):
        return {"context": 1}

    def loss(self, context):
        weights = None if self.weights is None else torch.tensor(self.weights)
        return Loss(
            torch.tensor(self.values, requires_grad=True), weights, {"s": torch.tensor(0.5)}
        )

    def heads(self, width):
        return nn.Linear(width, 1)


def test_the_loss_and_what_is_shown():
    task = Task("x", Fixed(weights=(3.0, 1.0)), pairs(2))
    views = task.views([0, 1], random.Random(0), {}, ONE)
    total, shown = task.loss(views, [], {}, ONE)
    assert total.item() == 1.5 + 0.5 and shown == {"loss": 2.0, "s": 0.5}


def test_a_loss_that_is_not_finite_names_its_record():
    records = [
        ParallelPair("x" * 500, "y", "de", origin="a.tsv:1"),
        ParallelPair("z" * 500, "y", "de", origin="a.tsv:2"),
    ]
    task = Task("x", Fixed((1.0, float("inf"))), records)
    views = task.views([0, 1], random.Random(0), {}, ONE)
    with pytest.raises(
        UserError, match=r"a\.tsv:2: the loss of x is not finite on .*zzz"
    ) as caught:
        task.loss(views, [], {}, ONE)
    assert len(str(caught.value)) < 400


def test_heads_are_the_same_in_every_process():
    tasks = [Task("a", Distillation(), pairs(1)), Task("b", Fixed(), pairs(1))]
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = make_heads(tasks, 4, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    other = make_heads(tasks, 4, seed=0)
    assert list(one) == ["1"] and torch.equal(one["1"].weight, other["1"].weight)
    assert not torch.equal(one["1"].weight, make_heads(tasks, 4, seed=1)["1"].weight)
