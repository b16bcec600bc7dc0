"""The history of a run: the rows of its metrics log, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, overload

from xadapt.core.errors import missing_extra
from xadapt.training.metrics_log import read_metrics

SHOWN = 10
"""Number of rows that a notebook shows."""


class History(Sequence[dict[str, Any]]):
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

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the columns: a list of values for each name, None where a row has none."""
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        return {name: [row.get(name) for row in self._rows] for name in names}

    def to_pandas(self) -> Any:
        """Return the rows as a pandas ``DataFrame``.

        Raises:
            UserError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise missing_extra("pandas", "data") from None
        return pandas.DataFrame(self._rows)

    def plot(self) -> Any:
        """Draw the loss of each step and the development score; return a matplotlib ``Figure``."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 3), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([row["step"] for row in self.steps], [row["loss"] for row in self.steps], lw=1)
        axes.set(xlabel="step", ylabel="loss")
        if self.evaluations:
            scores = axes.twinx()
            at = [row["step"] for row in self.evaluations]
            scores.plot(
                at, [row["dev/score"] for row in self.evaluations], "o-", color="tab:orange"
            )
            scores.set_ylabel("score on the development split")
        return figure

    def __repr__(self) -> str:
        if not self.steps:
            return "History of no steps"
        first, last = self.steps[0], self.steps[-1]
        text = f"History of {last['step']} steps: loss {first['loss']:.3f} to {last['loss']:.3f}"
        if self.evaluations:
            best = max(self.evaluations, key=lambda row: row["dev/score"])
            text += f", best development score {best['dev/score']:.3f} at step {best['step']}"
        return text

    def _repr_html_(self) -> str:
        rows = self.evaluations or self.steps[-SHOWN:]
        names = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        cells = [[_cell(row.get(name)) for name in names] for row in rows]
        body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in cells)
        return f"<p>{escape(repr(self))}</p><table><tr>{head}</tr>{body}</table>"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the scores under ``dev`` as ``dev/score`` and so on."""
    scores = row.get("dev")
    if not isinstance(scores, dict):
        return row
    rest = {key: value for key, value in row.items() if key != "dev"}
    return {**rest, **{f"dev/{key}": value for key, value in scores.items()}}


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
