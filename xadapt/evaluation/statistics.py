"""Uncertainty of scores: paired bootstrap over queries, and the spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xadapt.core.errors import UserError
from xadapt.report.table import with_interval

DRAWS_AT_ONCE = 2**22
Statistic = Callable[..., NDArray[np.float64]]


@dataclass(frozen=True, repr=False)
class Interval:
    """A mean over queries with its bootstrap interval over the queries: ``.412 [.38, .44]``."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the values for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        return with_interval(self.mean, self.low, self.high)


@dataclass(frozen=True, repr=False)
class Difference(Interval):
    """A mean difference to another system on the same queries, with a two-sided p-value.

    It prints with its sign, as ``+.102 [+.081, +.124]``.
    """

    p: float

    def __repr__(self) -> str:
        return with_interval(self.mean, self.low, self.high, sign=True)


@dataclass(frozen=True)
class McNemar:
    """Entities that only one of two systems gets right, and whether that is chance.

    Attributes:
        only_ours: Number that only the first system gets right.
        only_theirs: Number that only the second one gets right.
        p: Exact two-sided p-value.
    """

    only_ours: int
    only_theirs: int
    p: float

    def to_dict(self) -> dict[str, float]:
        """Return the values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over seeds; ``sd`` is None for a single seed."""

    mean: float
    sd: float | None
    seeds: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the values for JSON."""
        return asdict(self)


def resampled_means(values: ArrayLike, resamples: int = 1000, seed: int = 0) -> NDArray[np.float64]:
    """Compute the means ``(resamples,)`` of samples drawn with replacement from ``values (n,)``.

    The draws depend on ``n`` and ``seed`` alone. So the means of two systems over the same
    queries are paired.

    Raises:
        UserError: If there are no values, one is NaN or infinite, or ``resamples`` is less than 1.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise UserError("resampling needs one finite value for each of at least one query")
    means = [sample[draws].mean(axis=1) for draws in _draws(len(sample), resamples, seed)]
    return np.concatenate(means)


def interval(
    values: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Compute the percentile bootstrap interval of a mean over queries (Efron 1979).

    Args:
        values: ``(n,)``, one a query.
        resamples: Number of samples to draw.
        seed: Seed of the draws.
        level: Share of the resampled means inside the interval, above 0 and below 1.
    """
    sample = np.asarray(values, dtype=np.float64)
    low, high = _bounds(resampled_means(sample, resamples, seed), level)
    return Interval(float(sample.mean()), low, high)


def difference(
    values: ArrayLike,
    base: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """Compute a paired bootstrap of ``values - base``, two systems on the same queries.

    p is twice the smaller share of resampled differences on either side of 0. Both shares are
    counted with one more (Davison & Hinkley 1997, section 4.2), so p is never below
    2 / (resamples + 1).

    Raises:
        UserError: If the systems did not answer equally many queries.
    """
    ours, theirs = np.asarray(values, dtype=np.float64), np.asarray(base, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise UserError(
            f"a paired difference needs the same queries, not {len(ours)} and {len(theirs)}"
        )
    gaps = ours - theirs
    means = resampled_means(gaps, resamples, seed)
    low, high = _bounds(means, level)
    return Difference(float(gaps.mean()), low, high, _p(means))


def mcnemar(ours: ArrayLike, theirs: ArrayLike) -> McNemar:
    """Compare two systems that are right or wrong on the same queries, by the exact test.

    Under chance, each query that only one system gets right is as likely to be one of ours as one
    of theirs (McNemar 1947).

    Args:
        ours: 1 for a right answer, 0 for a wrong one, ``(n,)``.
        theirs: The same of the other system.

    Raises:
        UserError: If the systems did not answer equally many queries.
    """
    one, other = np.asarray(ours) > 0, np.asarray(theirs) > 0
    if one.shape != other.shape:
        raise UserError(f"a paired test needs the same queries, not {len(one)} and {len(other)}")
    only_ours, only_theirs = int((one & ~other).sum()), int((other & ~one).sum())
    both = only_ours + only_theirs
    tail = sum(comb(both, k) for k in range(min(only_ours, only_theirs) + 1))
    return McNemar(only_ours, only_theirs, min(1.0, 2 * tail / 2**both))


def ratio(
    above: ArrayLike,
    below: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Compute the percentile bootstrap interval of a ratio of sums, such as a micro F1.

    Args:
        above: ``(n,)``, one a query.
        below: ``(n,)``, none negative. Where they sum to 0 the ratio is 0.
        resamples: Number of samples to draw.
        seed: Seed of the draws.
        level: Share of the resampled ratios inside the interval, above 0 and below 1.
    """
    low, high = _bounds(_ratios(above, below, resamples, seed), level)
    return Interval(_over(np.sum(above), np.sum(below)).item(), low, high)


def ratio_difference(
    above: ArrayLike,
    below: ArrayLike,
    base_above: ArrayLike,
    base_below: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """Compute a paired bootstrap, as `difference`, of two ratios of sums on the same queries."""
    ours, theirs = (above, below), (base_above, base_below)
    if len({np.shape(part) for part in (*ours, *theirs)}) != 1:
        raise UserError("a paired difference needs the same queries")
    gaps = _ratios(*ours, resamples, seed) - _ratios(*theirs, resamples, seed)
    here, there = (_over(*map(np.sum, part)).item() for part in (ours, theirs))
    return Difference(here - there, *_bounds(gaps, level), _p(gaps))


def resampled(
    statistic: Statistic, columns: Sequence[ArrayLike], resamples: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """Compute a statistic, such as a correlation, of samples drawn with replacement from rows.

    As in `resampled_means`, the draws depend on the number of rows and the seed alone.

    Args:
        statistic: From columns ``(samples, n)`` to numbers ``(samples,)``.
        columns: Each ``(n,)``, one value a row.
        resamples: Number of samples to draw.
        seed: Seed of the draws.

    Returns:
        ``(resamples,)``.
    """
    arrays = [np.asarray(column) for column in columns]
    found = [
        statistic(*(array[draws] for array in arrays))
        for draws in _draws(len(arrays[0]), resamples, seed)
    ]
    return np.concatenate(found).astype(np.float64)


def statistic_interval(
    statistic: Statistic,
    columns: Sequence[ArrayLike],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Compute the percentile bootstrap interval of any statistic over rows.

    The arguments are those of `resampled`.
    """
    low, high = _bounds(resampled(statistic, columns, resamples, seed), level)
    return Interval(_once(statistic, columns), low, high)


def statistic_difference(
    statistic: Statistic,
    columns: Sequence[ArrayLike],
    base: Sequence[ArrayLike],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """Compute a paired bootstrap, as `difference` does, of any statistic over the same rows.

    Raises:
        UserError: If the two systems do not have equally many rows.
    """
    if len({np.shape(column) for column in (*columns, *base)}) != 1:
        raise UserError("a paired difference needs the same rows")
    gaps = resampled(statistic, columns, resamples, seed) - resampled(
        statistic, base, resamples, seed
    )
    here = _once(statistic, columns) - _once(statistic, base)
    return Difference(here, *_bounds(gaps, level), _p(gaps))


def over_seeds(scores: Sequence[float]) -> Spread:
    """Compute mean and sample standard deviation (n - 1) of one score over different seeds.

    Raises:
        UserError: If there is no score.
    """
    if not len(scores):
        raise UserError("there are no seeds to average over")
    values = np.asarray(scores, dtype=np.float64)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    return Spread(float(values.mean()), deviation, len(values))


def _draws(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Draw samples of ``n`` rows with replacement, ``(some, n)`` at a time."""
    if resamples < 1 or not n:
        raise UserError(f"resampling needs a row and a sample, not {n} rows, {resamples} samples")
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWS_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        stop = min(start + at_once, resamples)
        yield generator.integers(0, n, size=(stop - start, n))


def _once(statistic: Statistic, columns: Sequence[ArrayLike]) -> float:
    return float(statistic(*(np.asarray(column)[None] for column in columns))[0])


def _p(differences: NDArray[np.float64]) -> float:
    tail = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (tail + 1) / (len(differences) + 1))


def _ratios(above: ArrayLike, below: ArrayLike, resamples: int, seed: int) -> NDArray[np.float64]:
    return _over(resampled_means(above, resamples, seed), resampled_means(below, resamples, seed))


def _over(above: Any, below: Any) -> NDArray[np.float64]:
    wide = np.asarray(below, dtype=np.float64)
    zero = np.zeros_like(wide)
    return np.divide(np.asarray(above, dtype=np.float64), wide, out=zero, where=wide > 0)


def _bounds(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise UserError(f"the level of an interval lies between 0 and 1, not {level}")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
