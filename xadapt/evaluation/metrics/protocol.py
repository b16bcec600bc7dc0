"""The protocol of a metric, and how metrics are added to a table.

A task has its own scores. A metric is a further score of one task, found by its file in this room
or by an entry point of the group ``xadapt.metrics``, with the same intervals and differences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.evaluation.comparison import Result, compare, mean


@dataclass(frozen=True)
class Metric(ABC):
    """A further score of one task.

    Attributes:
        name: The name of its file, and its name in the table.
        task: The task whose predictions it scores.
    """

    name: ClassVar[str]
    task: ClassVar[str]

    @abstractmethod
    def columns(self, rows: Sequence[Any], predictions: Sequence[Any]) -> Sequence[NDArray[Any]]:
        """Reduce each row to the numbers from which the score is computed.

        Args:
            rows: The task's records.
            predictions: One prediction for each record, in the form the task's `evaluate` takes.

        Returns:
            Arrays ``(n,)``. The bootstrap resamples their positions.
        """

    def statistic(self, *columns: NDArray[Any]) -> NDArray[np.float64]:
        """Compute the score ``(samples,)`` from columns ``(samples, n)``; by default the mean."""
        return mean(columns[0])


def find(name: str, task: str) -> Metric:
    """Find a metric of a task by name.

    Raises:
        UserError: If no metric has that name, or the metric scores another task.
    """
    found: Metric = registry.load("metrics", name)()
    if found.task != task:
        raise UserError(f"the metric {name!r} scores {found.task}, not {task}", where="--metric")
    return found


def with_metrics(
    result: Result,
    metrics: Sequence[Metric],
    rows: Sequence[Any],
    systems: Mapping[str, Sequence[Any]],
) -> Result:
    """Add metrics to the systems of a result, with the same base, resamples and seed.

    Args:
        result: The result that the task has computed.
        metrics: Further scores.
        rows: The records.
        systems: The predictions of every system of the result, by name.

    Raises:
        UserError: If a metric gives anything but one number a record.
    """
    if not metrics:
        return result
    columns = {
        row.system: {m.name: _columns(m, rows, systems[row.system]) for m in metrics}
        for row in result.rows
    }
    more = compare(
        result.task,
        result.unit,
        columns,
        {m.name: m.statistic for m in metrics},
        base=result.options["base"],
        resamples=result.options["resamples"],
        seed=result.options["seed"],
    )
    made = tuple(
        replace(row, scores=row.scores | own.scores, gains=row.gains | own.gains)
        for row, own in zip(result.rows, more.rows, strict=True)
    )
    return replace(result, rows=made, measures=result.measures + more.measures)


def _columns(metric: Metric, rows: Sequence[Any], predictions: Sequence[Any]) -> list[NDArray[Any]]:
    found = [np.asarray(column) for column in metric.columns(rows, predictions)]
    if not found or any(column.shape != (len(rows),) for column in found):
        shapes = ", ".join(str(column.shape) for column in found) or "nothing"
        raise UserError(f"the metric {metric.name!r} gives {shapes} for {len(rows)} records")
    return found
