"""The result of a hyper-parameter search: its trials as a text, a table and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.config.recipe import Recipe
from xadapt.pipelines.study import FINISHED, STOPPED, TunedTrial
from xadapt.pipelines.training_result import TrainingResult
from xadapt.report.display import Displayed
from xadapt.report.table import Table, number

NOTE = (
    "score: on the development records alone, which chose the best; no test data were read",
    "the best of many scores is optimistic: measure the module on a test set, once",
)


@dataclass(frozen=True, repr=False)
class TuningResult(Displayed):
    """The result of a hyper-parameter search.

    Attributes:
        folder: The folder of the study, the table, the picture, the best recipe and module.
        trials: All trials that ended, in order.
        recipe: The recipe with the best values, which ``best.yaml`` holds.
        training: The result for the best module.
        records: The number of development records and their name, such as ``500 pairs``.
    """

    folder: Path
    trials: tuple[TunedTrial, ...]
    recipe: Recipe
    training: TrainingResult
    records: str

    @property
    def best(self) -> TunedTrial:
        """The trial with the highest development score, the first of equals."""
        found = best_of(self.trials)
        assert found is not None
        return found

    @property
    def module(self) -> Path:
        """The folder of the best trial's module."""
        return self.training.folder

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {
            "folder": self.folder.name,
            "selected_on": f"development split, {self.records}",
            "best": self.best.to_dict(),
            "trials": [trial.to_dict() for trial in self.trials],
            "recipe": self.recipe.model_dump(mode="json"),
            "module": self.training.to_dict(),
        }

    def _table(self) -> Table:
        keys = list(self.best.values)
        rows = (
            (
                "best" if trial is self.best else "",
                trial.number,
                *(trial.values[key] for key in keys),
                None if trial.score is None else number(trial.score),
                trial.state,
                f"{trial.prepare_seconds:.1f} + {trial.seconds:.1f}",
            )
            for trial in self.trials
        )
        columns = ("", "trial", *(short_names(keys)), "dev score", "state", "seconds")
        title = f"{self.recipe.name}: {len(self.trials)} trials, scored on {self.records}"
        return Table(columns, tuple(rows), title, ("seconds: frozen base + training", *NOTE))

    def _records(self) -> list[dict[str, Any]]:
        return rows_of(self.trials)

    def _draw(self, axes: Any) -> None:
        draw(axes, self.trials)


def best_of(trials: Sequence[TunedTrial]) -> TunedTrial | None:
    """Return the trial with the highest score, the first of equals; ``None`` if all failed.

    A trial that was stopped early is not chosen.
    """
    scored = [trial for trial in trials if trial.state == FINISHED and trial.score is not None]
    return max(scored, key=lambda trial: float(trial.score or 0.0), default=None)


def rows_of(trials: Sequence[TunedTrial]) -> list[dict[str, Any]]:
    """Return one flat mapping for each trial: its values under their whole keys."""
    best = best_of(trials)
    return [
        {
            "trial": trial.number,
            **trial.values,
            "score": trial.score,
            "state": trial.state,
            "best": trial is best,
            "step": trial.step,
            "prepare_seconds": trial.prepare_seconds,
            "seconds": trial.seconds,
            "note": trial.note,
        }
        for trial in trials
    ]


def draw(axes: Any, trials: Sequence[TunedTrial]) -> None:
    """Draw the development score of each trial."""
    from xadapt.report.plots import draw_trials

    by_state: dict[str, list[tuple[int, float]]] = {FINISHED: [], STOPPED: []}
    for trial in trials:
        if trial.score is not None:
            by_state[trial.state].append((trial.number, trial.score))
    draw_trials(axes, by_state[FINISHED], label="development score", pruned=by_state[STOPPED])


def short_names(keys: Sequence[str]) -> list[str]:
    """Return the last parts of keys; a whole key where two have the same."""
    last = [key.rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)]


def as_csv(trials: Sequence[TunedTrial]) -> str:
    """Return the trials as a table of CSV, with a header."""
    rows = rows_of(trials)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
