"""Experiment trackers of a run: TensorBoard, Weights & Biases, Trackio, by accelerate's classes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers

from xadapt.core import registry
from xadapt.core.errors import UserError

NONE = "none"
OFFERED = ("tensorboard", "wandb", "trackio")
PROJECT = "xadapt"
LOGS = "tensorboard"
"""Folder of TensorBoard's files in the folder of a run's state."""


def tracker_names(report_to: str | Iterable[str] | None) -> list[str]:
    """Return the names of trackers, each once.

    Args:
        report_to: A name, several names (also with commas), ``none`` or None.

    Raises:
        UserError: If there is no such tracker, or its package is not installed.
    """
    given = [report_to] if isinstance(report_to, str) else list(report_to or ())
    names = [part.strip() for one in given for part in str(one).split(",")]
    found = [name for name in dict.fromkeys(names) if name and name != NONE]
    installed = [str(getattr(one, "value", one)) for one in get_available_trackers()]
    for name in found:
        if name not in OFFERED or name not in LOGGER_TYPE_TO_CLASS:
            raise UserError(registry.unknown("tracker", name, [*OFFERED, NONE]), where="report_to")
        if name not in installed:
            raise UserError(
                f"the tracker {name} is not installed",
                where="report_to",
                todo=f"pip install {name}",
            )
    return found


class Trackers:
    """The open trackers of one run; none do nothing.

    Args:
        names: Names of trackers.
        folder: Folder of the run's state; TensorBoard writes into ``tensorboard`` in it.
        run_name: Name of the run.
        config: The settings of the run, as a nested mapping.
    """

    def __init__(
        self, names: Iterable[str], folder: Path, run_name: str, config: Mapping[str, Any]
    ) -> None:
        self.open = [_start(name, folder, run_name) for name in names]
        flat = dict(_flat(config))
        for tracker in self.open:
            tracker.store_init_configuration(flat)

    def log(self, row: Mapping[str, Any]) -> None:
        """Log the numbers of one row of the metrics log at its step."""
        values = {key: value for key, value in _flat(row) if isinstance(value, (int, float))}
        step = int(values.pop("step", 0))
        for tracker in self.open:
            tracker.log(values, step=step)

    def finish(self) -> None:
        """Close every tracker."""
        for tracker in self.open:
            tracker.finish()
        self.open = []


def _start(name: str, folder: Path, run_name: str) -> GeneralTracker:
    kind = LOGGER_TYPE_TO_CLASS[name]
    if kind.requires_logging_directory:
        tracker = kind(run_name, logging_dir=folder / LOGS)
    else:
        project = os.environ.get(f"{name.upper()}_PROJECT", PROJECT)
        tracker = kind(project, name=run_name)
    tracker.start()
    return tracker


def _flat(values: Mapping[str, Any], under: str = "") -> list[tuple[str, Any]]:
    """List the values of a nested mapping with their keys joined by ``/``; lists become text."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{under}{key}"
        if isinstance(value, Mapping):
            found += _flat(value, f"{name}/")
        else:
            simple = isinstance(value, (bool, int, float, str))
            found.append((name, value if simple else str(value)))
    return found
