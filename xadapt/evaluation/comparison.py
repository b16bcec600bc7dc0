"""Systems beside each other on the same rows: scores by measure, intervals, paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from xadapt.evaluation.statistics import (
    Difference,
    Interval,
    Statistic,
    statistic_difference,
    statistic_interval,
)


@dataclass(frozen=True)
class Row:
    """The scores of one system.

    Attributes:
        system: Its name.
        scores: By measure, with their intervals over rows.
        gains: Their differences to the base system on the same rows; none for the base.
        details: More numbers of this system by name, such as the F1 of each class.
    """

    system: str
    scores: dict[str, Interval]
    gains: dict[str, Difference] = field(default_factory=dict)
    details: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "system": self.system,
            "scores": {name: value.to_dict() for name, value in self.scores.items()},
            "gains": {name: value.to_dict() for name, value in self.gains.items()},
            "details": self.details,
        }


@dataclass(frozen=True)
class Result:
    """A table of systems on the same rows.

    Attributes:
        task: What was evaluated.
        unit: What a row is, in the plural.
        count: How many rows.
        rows: In the order the systems were given.
        measures: Names of the numbers, the one to choose by first.
        options: What the numbers depend on: resamples, seed, base.
    """

    task: str
    unit: str
    count: int
    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return next(row for row in self.rows if row.system == system)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("task", "unit", "count", "options")
        head = {name: getattr(self, name) for name in plain} | {"measures": list(self.measures)}
        return head | {"rows": [row.to_dict() for row in self.rows]}


def compare(
    task: str,
    unit: str,
    columns: Mapping[str, Mapping[str, Sequence[ArrayLike]]],
    statistics: Mapping[str, Statistic],
    *,
    details: Mapping[str, dict[str, float]] | None = None,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """A table of systems.

    Args:
        task: What is evaluated.
        unit: What a row is, in the plural.
        columns: By system and measure, what the measure's statistic is of: arrays ``(n,)``.
        statistics: By measure, from columns ``(samples, n)`` to numbers ``(samples,)``.
        details: More numbers by system.
        base: The system the others are compared with.
        resamples: Of the bootstrap over rows.
        seed: Of the bootstrap.
    """
    rows = []
    for name, own in columns.items():
        scores, gains = {}, {}
        for measure, statistic in statistics.items():
            given = own[measure]
            scores[measure] = statistic_interval(statistic, given, resamples=resamples, seed=seed)
            if base in columns and name != base:
                other = columns[base][measure]  # type: ignore[index]
                gains[measure] = statistic_difference(
                    statistic, given, other, resamples=resamples, seed=seed
                )
        rows.append(Row(name, scores, gains, (details or {}).get(name, {})))
    count = len(next(iter(next(iter(columns.values())).values()))[0])  # type: ignore[arg-type]
    settings = {"resamples": resamples, "seed": seed, "base": base}
    return Result(task, unit, count, tuple(rows), tuple(statistics), settings)
