"""The events of a run: what its callbacks and trackers are told, and what callbacks ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from xadapt.core.distributed import DistributedContext
from xadapt.training.callbacks import CallbackArguments, Callbacks, arguments, checked
from xadapt.training.checkpoint import Progress
from xadapt.training.settings import Run
from xadapt.training.trackers import Trackers, tracker_names


@dataclass(frozen=True)
class Asked:
    """What callbacks ask for after a step: an evaluation, a checkpoint."""

    evaluate: bool = False
    save: bool = False


class Events:
    """The events of one run.

    Args:
        run: The settings, with callbacks and trackers.
        processes: The processes of the run; the first one has the trackers.
        steps: Number of steps.
        per_epoch: Number of steps in an epoch.

    Raises:
        UserError: If an object is no callback, or a tracker is unknown or not installed.
    """

    def __init__(self, run: Run, processes: DistributedContext, steps: int, per_epoch: int) -> None:
        self.run, self.processes, self.per_epoch = run, processes, per_epoch
        self.names = tracker_names(run.report_to)
        self.callbacks = Callbacks(checked(run.callbacks), self._arguments(False))
        state = self.callbacks.state
        state.max_steps, state.num_train_epochs = steps, run.spec.epochs
        state.logging_steps, state.train_batch_size = 1, run.spec.batch_size
        state.is_local_process_zero = processes.state.is_local_main_process
        state.is_world_process_zero = processes.main
        self.trackers: Trackers | None = None

    @contextmanager
    def open(
        self,
        module: nn.Module,
        tokenizer: Any,
        progress: Progress,
        evaluates: bool,
        **more: Any,
    ) -> Iterator[None]:
        """Begin and end the run for callbacks and trackers; trackers are closed in any case.

        Args:
            module: The module under training.
            tokenizer: The base's tokenizer.
            progress: The progress of the run, which may be a resumed one.
            evaluates: Whether the run is evaluated on development records.
            more: Further arguments of the callbacks' events, such as ``optimizer``.

        Raises:
            UserError: If a callback refuses the run.
        """
        if self.names and self.processes.main:
            name = self.run.folder.parent.name
            self.trackers = Trackers(self.names, self.run.folder, name, self.run.config)
        self.callbacks.args = self._arguments(evaluates)
        self.callbacks.restore(progress.callbacks)
        self.callbacks.more = {
            "model": module,
            "processing_class": tokenizer,
            "train_dataloader": None,
            "eval_dataloader": None,
            **more,
        }
        self._at(progress.step)
        self.best(progress)
        try:
            self.callbacks.call("on_train_begin")
            yield
            self.callbacks.call("on_train_end")
        finally:
            if self.trackers is not None:
                self.trackers.finish()

    def step_begins(self, step: int) -> None:
        """Report that a step begins, and an epoch if it is the first one of it."""
        if self.callbacks:
            self.callbacks.begin()
            if step % self.per_epoch == 0:
                self.callbacks.call("on_epoch_begin")
            self.callbacks.call("on_step_begin")

    def step_ends(self, row: Mapping[str, Any]) -> Asked:
        """Report a step and its row of the log; return what the callbacks ask for."""
        if self.trackers is not None:
            self.trackers.log(row)
        if not self.callbacks:
            return Asked()
        self._at(row["step"])
        self.callbacks.call("on_step_end")
        rest = {name: value for name, value in row.items() if name not in ("step", "lr")}
        self._logged({**rest, "learning_rate": row["lr"], "epoch": self.callbacks.state.epoch})
        control = self.callbacks.control
        return Asked(
            self.processes.any(control.should_evaluate), self.processes.any(control.should_save)
        )

    def evaluated(self, row: Mapping[str, Any]) -> None:
        """Report the scores of an evaluation, before the best score is updated."""
        if self.trackers is not None:
            self.trackers.log(row)
        if self.callbacks:
            metrics = {f"eval_{name}": value for name, value in row["dev"].items()}
            metrics["epoch"] = self.callbacks.state.epoch
            self._logged(metrics)
            self.callbacks.call("on_evaluate", metrics=metrics)

    def best(self, progress: Progress) -> None:
        """Report the best score so far."""
        if progress.best_step:
            state = self.callbacks.state
            state.best_metric = progress.best_score
            state.best_global_step = progress.best_step

    def saved(self) -> None:
        """Report that a checkpoint was written."""
        self.callbacks.call("on_save")

    def epoch_ends(self, step: int) -> bool:
        """Report the end of an epoch, if this step ends one; return whether to end the run."""
        if not self.callbacks:
            return False
        if step % self.per_epoch == 0:
            self.callbacks.call("on_epoch_end")
        return self.processes.any(self.callbacks.control.should_training_stop)

    def states(self) -> dict[str, Any]:
        """Return the states of callbacks, for the checkpoint."""
        return self.callbacks.export()

    def _arguments(self, evaluates: bool) -> CallbackArguments:
        return arguments(self.run.spec, self.run.seed, str(self.run.folder), evaluates)

    def _at(self, step: int) -> None:
        state = self.callbacks.state
        state.global_step, state.epoch = step, step / self.per_epoch

    def _logged(self, logs: dict[str, Any]) -> None:
        state = self.callbacks.state
        state.log_history.append({**logs, "step": state.global_step})
        self.callbacks.call("on_log", logs=dict(logs))
