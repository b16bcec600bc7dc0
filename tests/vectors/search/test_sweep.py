from __future__ import annotations

import numpy as np
import pytest
import torch
from search_twin import units, worst

from xadapt.vectors.search.exact import Pair
from xadapt.vectors.search.sides import Side
from xadapt.vectors.search.sweep import Options, Plan, error_bound, sweep


def side(n, dim=384):
    return Side.of(np.zeros((n, dim), dtype=np.float16), "pool")


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("memory", [2**22, 2**24, 2**26, 2**30])
def test_what_is_held_fits_the_memory(memory, half):
    plan = Plan.of(Pair(side(30_000), side(50_000)), Options(half=half, memory=memory))
    vectors = (plan.queries + plan.pool) * 384 * (2 if half else 4)
    if plan.held:
        vectors = (plan.queries + plan.pool) * 384 * (6 if half else 4)
    assert vectors + plan.rows * plan.columns * 4 <= memory
    assert plan.queries >= plan.rows
    if memory == 2**30:
        assert (plan.queries, plan.pool, plan.held) == (30_000, 50_000, True)
    else:
        assert vectors > memory / 4


def test_tiles_are_counted():
    plan = Plan(rows=10, columns=20, queries=25, pool=40)
    assert plan.tiles(60, 50) == (3 + 3 + 1) * (2 + 1)


@pytest.mark.parametrize("kind", ["random", "worst"])
@pytest.mark.parametrize("dim", [8, 64, 384])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_no_product_errs_by_more_than_the_bound(kind, dim, dtype):
    made = np.random.default_rng(dim).normal(size=(400, dim)) if kind == "random" else worst(dim)
    both = Side.of(made, "pool")
    lost = both.lost(dtype)
    rounded = both.units(0, len(both), dtype)
    product = (rounded @ rounded.T).double()
    exact = torch.from_numpy(units(made) @ units(made).T)
    relative = 2.0**-8 if dtype == torch.bfloat16 else 0.0
    allowed = error_bound(lost, lost, dim)[:, None] + relative * product.abs()
    wrong = (product - exact).abs()
    assert (wrong <= allowed).all()
    if dtype == torch.bfloat16 and kind == "worst":
        assert wrong.max() > 0.3 * allowed.max(), "a bound far too wide would prove nothing"


def test_a_bound_without_rounding_would_be_broken():
    both = Side.of(worst(64), "pool")
    rounded = both.units(0, len(both), torch.bfloat16)
    exact = torch.from_numpy(units(worst(64)) @ units(worst(64)).T)
    wrong = ((rounded @ rounded.T).double() - exact).abs()
    assert wrong.max() > error_bound(torch.zeros(1), torch.zeros(1), 64)


def test_both_ways_make_each_tile_once():
    rng = np.random.default_rng(0)
    pair = Pair(*(Side.of(rng.normal(size=(n, 8)), "pool") for n in (130, 200)))
    counts = []
    options = Options(memory=1, progress=lambda done, total: counts.append(total))
    one, none = sweep(pair, 2, False, options)
    alone = len(counts)
    again, back = sweep(pair, 2, True, options)
    assert len(counts) == 2 * alone
    assert none is None and back is not None and back.indices.shape == (200, 2)
    assert (one.indices == again.indices).all()


@pytest.mark.parametrize("dim", [24, 384])
def test_half_precision_answers_by_itself(dim):
    rng = np.random.default_rng(dim)
    pair = Pair(*(Side.of(rng.normal(size=(n, dim)), "pool") for n in (300, 900)))
    for one, other in zip(
        sweep(pair, 5, True, Options(half=True)), sweep(pair, 5, True, Options()), strict=True
    ):
        assert (one.indices == other.indices).all()
        assert (one.scores == other.scores).all()
