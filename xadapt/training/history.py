"""The history of a run: the rows of its metrics log, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from xadapt.report.display import Displayed
from xadapt.report.table import Table
from xadapt.training.metrics_log import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 10
"""Number of rows that a notebook shows."""
LOSS = "loss/"
"""What the names of the losses of single objectives begin with."""


class History(Displayed, Sequence[dict[str, Any]]):
    """The rows of a run: one a step, with ``loss`` and ``lr``; one an evaluation, with ``dev/..``.

    Args:
        rows: The rows of ``metrics.jsonl``.
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = [_flat(row) for row in rows]

    @classmethod
    def read(cls, file: Path) -> History:
        """Read the rows of a ``metrics.jsonl``; no rows if there is no such file."""
        return cls(read_metrics(file))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The rows of steps."""
        return [row for row in self._rows if "loss" in row]

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The rows of evaluations on the development data."""
        return [row for row in self._rows if "dev/score" in row]

    @property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """The losses by objective, without weights: ``(step, loss)``, steps ascending."""
        found: dict[str, list[tuple[int, float]]] = {}
        for row in self.steps:
            for key, value in row.items():
                if key.startswith(LOSS):
                    found.setdefault(key.removeprefix(LOSS), []).append((row["step"], value))
        return found

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the columns: a list of values for each name, None where a row has none."""
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        return {name: [row.get(name) for row in self._rows] for name in names}

    def _records(self) -> list[dict[str, Any]]:
        return self._rows

    def _draw(self, axes: Axes) -> None:
        """Draw the loss of each step, and the development score on an axis of its own."""
        axes.plot([row["step"] for row in self.steps], [row["loss"] for row in self.steps], lw=1)
        axes.set(xlabel="step", ylabel="loss")
        if self.evaluations:
            scores = axes.twinx()
            at = [row["step"] for row in self.evaluations]
            scores.plot(
                at, [row["dev/score"] for row in self.evaluations], "o-", color="tab:orange"
            )
            scores.set_ylabel("score on the development split")

    def __repr__(self) -> str:
        if not self.steps:
            return "History of no steps"
        first, last = self.steps[0], self.steps[-1]
        text = f"History of {last['step']} steps: loss {first['loss']:.3f} to {last['loss']:.3f}"
        if self.evaluations:
            best = max(self.evaluations, key=lambda row: row["dev/score"])
            text += f", best development score {best['dev/score']:.3f} at step {best['step']}"
        return text

    def _table(self) -> Table:
        rows = self.evaluations or self.steps[-SHOWN:]
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        cells = tuple(tuple(row.get(name) for name in names) for row in rows)
        return Table(names, cells, repr(self))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the scores under ``dev`` as ``dev/score`` and so on."""
    scores = row.get("dev")
    if not isinstance(scores, dict):
        return row
    rest = {key: value for key, value in row.items() if key != "dev"}
    return {**rest, **{f"dev/{key}": value for key, value in scores.items()}}
