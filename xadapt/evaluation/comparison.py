"""Compare systems on the same rows: scores by measure, intervals, paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xadapt.evaluation.statistics import (
    Difference,
    Interval,
    Statistic,
    statistic_difference,
    statistic_interval,
)
from xadapt.report.display import Displayed
from xadapt.report.table import Bar, Table


@dataclass(frozen=True, repr=False)
class Row(Displayed):
    """The scores of one system.

    Attributes:
        system: Its name.
        scores: By measure, with their intervals over rows.
        gains: Differences to the base system on the same rows, by measure; none for the base.
        details: More numbers of this system by name, such as the F1 of each class.
        more: Further entries of a task in the JSON of a row, ready to be written.
        values: One number for each evaluated row by name, ``(n,)``; not part of the JSON.
    """

    system: str
    scores: dict[str, Interval]
    gains: dict[str, Difference] = field(default_factory=dict)
    details: dict[str, float] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    values: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {
            "system": self.system,
            "scores": {name: value.to_dict() for name, value in self.scores.items()},
            "gains": {name: value.to_dict() for name, value in self.gains.items()},
            "details": self.details,
            **self.more,
        }

    def _table(self) -> Table:
        return _table((self,), "", ())

    def _records(self) -> list[dict[str, Any]]:
        return [_record(self, name) for name in self.scores]

    def _bars(self) -> list[Bar]:
        return [
            Bar(self.system, name, score.mean, score.low, score.high)
            for name, score in self.scores.items()
        ]


@dataclass(frozen=True, repr=False)
class Result(Displayed):
    """A table of systems on the same rows; every task gives one.

    Attributes:
        task: Name of the task.
        unit: Name of an evaluated row, in the plural.
        count: How many rows were evaluated.
        rows: In the order the systems were given, the controls last.
        measures: Names of the scores; systems are selected on the first one.
        options: The options that the numbers depend on: resamples, seed, base.
        facts: Facts about the data that a task reports, such as the number of words.
    """

    task: str
    unit: str
    count: int
    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return next(row for row in self.rows if row.system == system)

    def __contains__(self, system: str) -> bool:
        return any(row.system == system for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        plain = ("task", "unit", "count", "options")
        head = {name: getattr(self, name) for name in plain} | {"measures": list(self.measures)}
        return head | self.facts | {"rows": [row.to_dict() for row in self.rows]}

    def _table(self) -> Table:
        base = self.options.get("base")
        over = f" over {base}" if isinstance(base, str) else ""
        gains = (f"gain: paired difference{over}",) if any(r.gains for r in self.rows) else ()
        return _table(self.rows, f"{self.task}: {self.count:,} {self.unit}, 95 % intervals", gains)

    def _records(self) -> list[dict[str, Any]]:
        return [record for row in self.rows for record in row._records()]

    def _bars(self) -> list[Bar]:
        return [bar for row in self.rows for bar in row._bars()]


def _table(rows: Sequence[Row], title: str, notes: tuple[str, ...]) -> Table:
    """Return the cells of systems and measures; a column of gains if there are any."""
    gains = any(row.gains for row in rows)
    cells = tuple(
        (
            "" if place else row.system,
            measure,
            score,
            *((row.gains.get(measure),) if gains else ()),
        )
        for row in rows
        for place, (measure, score) in enumerate(row.scores.items())
    )
    return Table(("system", "measure", "score", *(("gain",) if gains else ())), cells, title, notes)


def _record(row: Row, measure: str) -> dict[str, Any]:
    """Return one flat row of a data frame: score and gain with their intervals."""
    score, gain = row.scores[measure], row.gains.get(measure)
    return {
        "system": row.system,
        "measure": measure,
        "score": score.mean,
        "low": score.low,
        "high": score.high,
        "gain": gain.mean if gain else None,
        "gain_low": gain.low if gain else None,
        "gain_high": gain.high if gain else None,
        "p": gain.p if gain else None,
    }


def compare(
    task: str,
    unit: str,
    columns: Mapping[str, Mapping[str, Sequence[ArrayLike]]],
    statistics: Mapping[str, Statistic],
    *,
    details: Mapping[str, dict[str, float]] | None = None,
    facts: Mapping[str, Any] | None = None,
    base: str | Mapping[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compute a table of systems.

    Args:
        task: Name of the task that is evaluated.
        unit: Name of a row, in the plural.
        columns: By system and measure, the arrays ``(n,)`` from which the statistic is computed.
        statistics: By measure, from columns ``(samples, n)`` to numbers ``(samples,)``.
        details: More numbers by system.
        facts: Facts about the data that the task reports.
        base: The system the others are compared with, or one for each system by name.
        resamples: Number of bootstrap samples over rows.
        seed: Seed of the bootstrap.
    """
    settings = {"resamples": resamples, "seed": seed}
    rows = []
    for name, own in columns.items():
        other = columns.get(base.get(name, "") if isinstance(base, Mapping) else base or "")
        scores, gains = {}, {}
        for measure, statistic in statistics.items():
            given = own[measure]
            scores[measure] = statistic_interval(statistic, given, **settings)
            if other is not None and other is not own:
                gains[measure] = statistic_difference(statistic, given, other[measure], **settings)
        rows.append(Row(name, scores, gains, (details or {}).get(name, {})))
    count = len(next(iter(next(iter(columns.values())).values()))[0])  # type: ignore[arg-type]
    named = dict(base) if isinstance(base, Mapping) else base
    options = {**settings, "base": named}
    return Result(task, unit, count, tuple(rows), tuple(statistics), options, dict(facts or {}))


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mean along the last axis."""
    found: NDArray[np.float64] = values.mean(-1)
    return found


def ratio_of_sums(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute a ratio of sums along the last axis, such as a micro F1.

    The ratio is 0 where the lower sum is 0.
    """
    whole = below.sum(-1)
    return np.divide(above.sum(-1), whole, out=np.zeros_like(whole), where=whole > 0)
