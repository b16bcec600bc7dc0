from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from xadapt.core.errors import UserError
from xadapt.evaluation import statistics
from xadapt.evaluation.statistics import (
    Interval,
    difference,
    interval,
    mcnemar,
    over_seeds,
    ratio,
    ratio_difference,
    resampled,
    resampled_means,
    statistic_difference,
    statistic_interval,
)


def test_coverage_of_a_known_binomial():
    rng = np.random.default_rng(7)
    inside = 0
    for trial in range(400):
        found = interval(rng.random(150) < 0.7, resamples=400, seed=trial)
        inside += found.low <= 0.7 <= found.high
    assert 0.91 <= inside / 400 <= 0.98


def test_false_alarms_of_the_paired_difference():
    rng = np.random.default_rng(8)
    alarms = 0
    for trial in range(300):
        one, other = rng.random((2, 120)) < 0.5
        alarms += difference(one, other, resamples=300, seed=trial).p < 0.05
    assert 0.01 <= alarms / 300 <= 0.1


def test_spread_of_the_resampled_means_is_the_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    means = resampled_means(values, 4000)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)


def test_the_same_seed_draws_the_same_whatever_the_chunk(monkeypatch):
    values = np.random.default_rng(0).normal(size=37)
    whole = resampled_means(values, 200, seed=3)
    monkeypatch.setattr(statistics, "DRAWS_AT_ONCE", 100)
    assert (resampled_means(values, 200, seed=3) == whole).all()
    assert (resampled_means(values, 200, seed=4) != whole).any()


def test_two_systems_are_drawn_together():
    rng = np.random.default_rng(0)
    one = rng.normal(size=50)
    other = rng.normal(size=50)
    gaps = resampled_means(one, 300) - resampled_means(other, 300)
    np.testing.assert_allclose(gaps, resampled_means(one - other, 300), atol=1e-12)


def test_interval_of_a_constant_and_of_one_query():
    assert interval(np.ones(20)).to_dict() == {"mean": 1, "low": 1, "high": 1}
    assert interval([0.25]).to_dict() == {"mean": 0.25, "low": 0.25, "high": 0.25}


def test_a_higher_level_is_wider():
    values = np.arange(30)
    narrow, wide = interval(values, level=0.5), interval(values, level=0.99)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_pairing_sees_what_separate_intervals_do_not():
    rng = np.random.default_rng(0)
    base = (rng.random(300) < 0.5).astype(float)
    better = np.where(rng.random(300) < 0.06, 1.0, base)
    gap, alone, other = difference(better, base), interval(better), interval(base)
    assert alone.low < other.high
    assert gap.low > 0
    assert gap.p < 0.05
    assert gap.mean == pytest.approx(alone.mean - other.mean)


def test_p_of_no_difference_and_of_a_clear_one():
    values = np.random.default_rng(0).random(40)
    same = difference(values, values)
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert difference(values + 1, values, resamples=999).p == pytest.approx(2 / 1000)
    assert difference(values, values + 1, resamples=999).p == pytest.approx(2 / 1000)


def test_over_seeds():
    spread = over_seeds([1.0, 2.0, 4.0])
    assert spread.mean == pytest.approx(7 / 3)
    assert spread.sd == pytest.approx(np.sqrt(7 / 3))
    assert over_seeds([0.5]).to_dict() == {"mean": 0.5, "sd": None, "seeds": 1}


@pytest.mark.parametrize(
    "call",
    [
        lambda: interval([]),
        lambda: interval([1.0, np.nan]),
        lambda: interval([[1.0]]),
        lambda: interval([1.0], resamples=0),
        lambda: interval([1.0], level=95),
        lambda: difference([1.0, 0.0], [1.0]),
        lambda: over_seeds([]),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(UserError):
        call()


def test_a_ratio_of_sums_is_no_mean_of_ratios():
    found = ratio([1.0, 0.0], [1.0, 3.0], resamples=200)
    assert found.mean == 0.25 and found.low == 0 and found.high == 1
    assert ratio([0.0], [0.0], resamples=5) == Interval(0, 0, 0)


def test_a_ratio_over_equal_parts_is_the_mean():
    values = np.random.default_rng(0).random(40)
    assert ratio(values, np.ones(40)).mean == pytest.approx(interval(values).mean)
    assert ratio(values, np.ones(40)).low == pytest.approx(interval(values).low)
    ones = np.ones(40)
    paired = ratio_difference(values, ones, values[::-1], ones)
    plain = difference(values, values[::-1])
    assert paired.low == pytest.approx(plain.low) and paired.p == plain.p
    with pytest.raises(UserError, match="same queries"):
        ratio_difference([1.0], [1.0], [1.0, 2.0], [1.0, 2.0])


def test_any_statistic_is_resampled_like_a_mean():
    """The same draws: the mean as a statistic gives what `interval` and `difference` give."""
    values, other = np.random.default_rng(2).normal(size=(2, 25))

    def mean(rows):
        return rows.mean(-1)

    assert np.array_equal(resampled(mean, [values], 300, 4), resampled_means(values, 300, 4))
    own = statistic_interval(mean, [values], seed=4)
    assert own == interval(values, seed=4)
    gap, wanted = statistic_difference(mean, [values], [other]), difference(values, other)
    assert (gap.low, gap.high, gap.p) == pytest.approx((wanted.low, wanted.high, wanted.p))
    assert gap.mean == pytest.approx(wanted.mean)


def test_columns_of_a_statistic_are_drawn_together():
    rows = np.arange(20.0)
    found = resampled(lambda a, b: (a - b).max(-1), [rows, rows - 3], 50)
    assert (found == 3).all()
    with pytest.raises(UserError, match="same rows"):
        statistic_difference(lambda a: a.mean(-1), [rows], [rows[1:]])
    with pytest.raises(UserError, match="resampling"):
        resampled(lambda a: a.mean(-1), [[]])


def test_mcnemar_counts_what_only_one_gets_right_and_its_p_is_that_of_the_binomial_test():
    ours, theirs = np.array([1, 1, 1, 1, 1, 0, 1, 0]), np.array([1, 0, 0, 0, 0, 1, 1, 0])
    found = mcnemar(ours, theirs)
    assert (found.only_ours, found.only_theirs) == (4, 1)
    assert found.p == pytest.approx(2 * (1 + 5) / 32)
    for one, other in ((0, 0), (3, 3), (0, 9), (40, 60), (700, 650)):
        rows = np.repeat([[1, 0], [0, 1]], [one, other], axis=0)
        wanted = binomtest(one, one + other).pvalue if one + other else 1.0
        assert mcnemar(rows[:, 0], rows[:, 1]).p == pytest.approx(wanted)
    assert mcnemar(theirs, ours).p == found.p
    with pytest.raises(UserError, match="the same queries"):
        mcnemar([1], [1, 0])
