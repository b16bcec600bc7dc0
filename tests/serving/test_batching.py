"""Which rows share a forward: by hand, and as invariants over random queues."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("prometheus_client")

from xadapt.serving.batching import SMALL, Job, choose, window
from xadapt.serving.rows import Row, Work


class Lengths(Work):
    """Items that are already tokenized: of some numbers of tokens."""

    def __init__(self, *lengths: int) -> None:
        super().__init__(None, None, {})  # type: ignore[arg-type]
        self.lengths = lengths

    @property
    def count(self) -> int:
        return len(self.lengths)

    @property
    def bytes(self) -> int:
        return sum(self.lengths)

    def rows(self, start: int, stop: int) -> list[Row]:
        return [Row(i, [1] * self.lengths[i], None) for i in range(start, stop)]


def job(*lengths: int) -> Job:
    made = Job(Lengths(*lengths))
    made.tokenized(made.work.rows(0, len(lengths)), len(lengths))
    return made


def sizes(found) -> list[int]:
    return [len(row.ids) for _, row in found]


def test_requests_take_turns() -> None:
    large, small = job(1, 2, 3, 4), job(9, 8)
    assert sizes(window([large, small])) == [1, 9, 2, 8, 3, 4]
    assert sizes(window([large, small], 3)) == [1, 9, 2]
    assert window([job()]) == [] and window([]) == []


@pytest.mark.parametrize(
    ("lengths", "budget", "wanted"),
    [
        ([10, 10, 10], 100, [10, 10, 10]),
        ([10, 10, 10], 20, [10, 10]),
        ([10, 40, 11, 9], 30, [10, 9]),  # with 11 in it two rows are 22 of 30, three would be 33
        ([50, 10], 20, [50]),  # the first runs whatever its length
        ([10, 100, 12, 8], 1000, [10, 12, 8]),  # 100 would pad the others to ten times
        ([10, 30], 1000, [10, 30]),  # but not beyond a quarter of the budget
    ],
)
def test_rows_of_about_one_length(lengths, budget, wanted) -> None:
    found = sizes(choose(window([job(*lengths)]), budget))
    assert found[0] == wanted[0]
    if wanted != [10, 9]:
        assert sorted(found) == sorted(wanted)
    else:
        assert len(found) == 2 and set(found) <= {10, 9, 11}


@given(st.lists(st.lists(st.integers(1, 60), max_size=20), max_size=8), st.integers(1, 500))
def test_the_oldest_row_runs_and_the_budget_holds(requests, budget) -> None:
    jobs = [job(*lengths) for lengths in requests]
    rows = window(jobs)
    found = choose(rows, budget)
    assert bool(found) == bool(rows)
    if found:
        assert found[0] is rows[0]
        assert len({id(row) for _, row in found}) == len(found)
        longest, padded = max(sizes(found)), max(sizes(found)) * len(found)
        assert padded <= budget or len(found) == 1
        if padded > budget // SMALL and len(found) > 1:
            assert 2 * min(sizes(found)) >= longest or longest * (len(found)) > budget // SMALL


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 400))
def test_every_row_runs_once(lengths, budget) -> None:
    one, seen = job(*lengths), []
    while rows := choose(window([one]), budget):
        seen += [row.item for _, row in rows]
        for _, row in rows:
            one.ready.remove(row)
            one.computed(row, torch.zeros(2))
    assert sorted(seen) == list(range(len(lengths))) and one.complete
    assert one.tokens == sum(lengths)


def test_a_share_is_tokenized_at_a_time() -> None:
    made = Job(Lengths(*[3] * 10))
    assert made.wanted(4) == (0, 4)
    made.tokenized(made.work.rows(0, 4), 4)
    assert made.wanted(4) == (4, 4) and made.wanted(6) == (4, 6) and made.wanted(99) == (4, 10)
