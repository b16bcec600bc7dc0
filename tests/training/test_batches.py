from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from xadapt.training.batches import POOL, BatchPlan, epoch_batches


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=300), st.integers(1, 40), st.text(max_size=3)
)
def test_each_record_once_an_epoch(lengths, size, seed):
    batches = epoch_batches(lengths, size, seed)
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    assert all(len(b) <= size for b in batches)
    assert sum(len(b) < size for b in batches) <= 1 and len(batches) == -(-len(lengths) // size)
    assert batches == epoch_batches(lengths, size, seed)


def test_a_step_is_a_pure_function_of_seed_and_number():
    lengths = list(range(50))
    plan = BatchPlan(lengths, 8, "0:train")
    steps = [plan.batch(s) for s in range(21)]
    other = BatchPlan(lengths, 8, "0:train")
    assert [other.batch(s) for s in reversed(range(21))] == steps[::-1]
    assert plan.per_epoch == 7 and steps[:7] != steps[7:14]
    for epoch in (steps[:7], steps[7:14], steps[14:]):
        assert sorted(i for b in epoch for i in b) == lengths
    assert BatchPlan(lengths, 8, "1:train").batch(0) != steps[0]


def test_batches_hold_like_lengths_in_no_order():
    lengths = [(i * 37) % 101 for i in range(8 * POOL)]
    batches = epoch_batches(lengths, 8, "0")
    spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in batches]
    assert max(spread) <= 3
    first = [lengths[b[0]] for b in batches]
    assert first != sorted(first) and first != sorted(first, reverse=True)
