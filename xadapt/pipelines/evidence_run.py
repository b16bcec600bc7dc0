"""Measure by a task while its records are watched: those of the training data are refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.records import Record
from xadapt.evaluation.comparison import Result
from xadapt.hub.evidence import (
    OverlapCheck,
)
from xadapt.hub.training_texts import SeenTexts
from xadapt.tasks.protocol import Report, Task
from xadapt.tasks.run_task import evaluate


@dataclass
class Watch:
    """The records that a task evaluates; those that overlap training texts are refused."""

    known: SeenTexts | None
    where: str
    rows: list[Record] = field(default_factory=list)
    check: OverlapCheck | None = None

    def see(self, rows: Sequence[Record]) -> None:
        """Keep the records, and compare them with the training texts.

        Raises:
            UserError: If they overlap by more than false positives explain, or they are others than
                those of an earlier call.
        """
        if self.rows and list(rows) != self.rows:
            raise UserError("a control reads other records than the module", where=self.where)
        self.rows = list(rows)
        if self.known is None or self.check is not None:
            return
        found = self.known.overlap(self.rows)
        if found.real:
            assert found.first is not None
            place, text = found.first
            shown = " ".join(text.split())
            raise UserError(
                f"{found.rows} of {len(rows)} test {rows[0].unit} hold a text that the module was "
                f"trained on or chosen by (number {place + 1}: {shown[:60]!r})",
                where=self.where,
                todo="Take them out of the test data",
            )
        self.check = OverlapCheck(
            texts=found.texts,
            found=found.found,
            false_positive_rate=found.rate,
            complete=self.known.complete,
        )


@dataclass(frozen=True)
class MeasuringRun:
    """The options that all measurements of one call share."""

    task: Task
    base: str
    data: Any
    options: dict[str, Any]
    report: Report
    watch: Watch

    def measure(self, folder: Path, *, controls: bool) -> Result:
        """Measure the base and one module."""
        with _watched(self.task, self.watch) as task:
            return evaluate(
                task,
                base=self.base,
                data=self.data,
                module=str(folder),
                controls=controls,
                report=self.report,
                **self.options,
            )


@contextmanager
def _watched(task: Task, watch: Watch) -> Iterator[Task]:
    """Yield a task that shows its records before it scores them."""
    made = copy.copy(task)

    def see(rows: Sequence[Any], *given: Any, **more: Any) -> Result:
        watch.see(rows)
        return task.evaluate(rows, *given, **more)

    made.evaluate = see  # type: ignore[method-assign]
    yield made
