"""Callbacks of a run, as in transformers: subclasses of ``transformers.TrainerCallback``.

Each event is called with ``args``, ``state`` and ``control``, and by name with ``model`` (the
module under training), ``processing_class`` (the base's tokenizer), ``optimizer`` and
``lr_scheduler``. A step of this trainer is one update. It logs every step, evaluates at even
distances, and keeps the weights of the best evaluation, so ``args`` say ``logging_steps`` 1,
``eval_strategy`` "steps" and ``load_best_model_at_end``. The metric to watch is ``score``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from transformers.trainer_callback import ExportableState, TrainerControl, TrainerState
from transformers.trainer_utils import IntervalStrategy

from xadapt.config.recipe import TrainSpec
from xadapt.core.errors import UserError

EVENTS = (
    "on_train_begin", "on_epoch_begin", "on_step_begin", "on_step_end", "on_log", "on_evaluate",
    "on_save", "on_epoch_end", "on_train_end",
)  # fmt: skip
SCORE = "score"


class MissingArgumentError(AttributeError):
    """The error for an argument of transformers' trainer that this trainer does not have."""


class CallbackArguments(SimpleNamespace):
    """The ``args`` of the events: what this trainer has of ``transformers.TrainingArguments``."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise MissingArgumentError(f"the args of this trainer have no {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments by name."""
        return dict(vars(self))


def arguments(spec: TrainSpec, seed: int, folder: str, evaluates: bool) -> CallbackArguments:
    """Return the arguments of a run for its callbacks.

    Args:
        spec: The schedule.
        seed: Seed of the run.
        folder: Folder of the run's state.
        evaluates: Whether the run has development records.
    """
    strategy = IntervalStrategy.STEPS if evaluates else IntervalStrategy.NO
    return CallbackArguments(
        output_dir=folder,
        logging_dir=folder,
        run_name=folder,
        num_train_epochs=spec.epochs,
        max_steps=-1,
        train_batch_size=spec.batch_size,
        per_device_train_batch_size=spec.batch_size,
        gradient_accumulation_steps=1,
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        warmup_ratio=spec.warmup,
        max_grad_norm=spec.clip,
        lr_scheduler_type=spec.schedule,
        seed=seed,
        logging_strategy=IntervalStrategy.STEPS,
        logging_steps=1,
        logging_first_step=True,
        eval_strategy=strategy,
        eval_delay=0,
        save_strategy=IntervalStrategy.STEPS,
        metric_for_best_model=SCORE if evaluates else None,
        greater_is_better=True,
        load_best_model_at_end=evaluates,
        report_to=[],
        disable_tqdm=False,
    )


@dataclass
class Callbacks:
    """The callbacks of one run, and what they see and steer.

    Attributes:
        given: The callbacks.
        args: The arguments of the run.
        state: The state of the run, a ``transformers.TrainerState``.
        control: The switches that callbacks set, a ``transformers.TrainerControl``.
        more: Further arguments of every event, by name.
    """

    given: list[Any]
    args: CallbackArguments
    state: TrainerState = field(default_factory=TrainerState)
    control: TrainerControl = field(default_factory=TrainerControl)
    more: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.given)

    def call(self, event: str, **own: Any) -> None:
        """Call one event of every callback, in order.

        Raises:
            UserError: If a callback asks for something that this trainer doesn't do.
        """
        for callback in self.given:
            handler = getattr(callback, event, None)
            if handler is None:
                continue
            try:
                found = handler(self.args, self.state, self.control, **self.more, **own)
            except MissingArgumentError as error:
                raise _refused(callback, str(error)) from None
            except AssertionError as error:
                if event != "on_train_begin":  # there, callbacks of transformers refuse arguments
                    raise
                raise _refused(callback, str(error)) from None
            self.control = found if isinstance(found, TrainerControl) else self.control
        if self.control.should_epoch_stop:
            raise _refused(self.given[-1], "should_epoch_stop can't be followed here")

    def begin(self) -> None:
        """Reset the switches of one step."""
        self.control.should_save = self.control.should_evaluate = self.control.should_log = False

    def export(self) -> dict[str, Any]:
        """Return the states of callbacks that have one, by the name of their class.

        Raises:
            UserError: If a state can't be stored as JSON.
        """
        with_state = [one for one in self.given if isinstance(one, ExportableState)]
        found = {type(one).__name__: one.state() for one in with_state}
        for name, state in found.items():
            try:
                json.dumps(state)
            except (TypeError, ValueError) as error:
                raise UserError(f"the state can't be stored ({error})", where=name) from None
        return found

    def restore(self, states: Mapping[str, Any]) -> None:
        """Give callbacks the states that they had when a run was interrupted."""
        for one in self.given:
            state = states.get(type(one).__name__)
            if state and isinstance(one, ExportableState):
                for name, value in state["attributes"].items():
                    setattr(one, name, value)


def checked(callbacks: Iterable[Any] | Any) -> list[Any]:
    """Return callbacks as instances.

    Args:
        callbacks: One callback or several: objects or classes with methods such as ``on_log``.

    Raises:
        UserError: If an object has no method of an event.
    """
    several = isinstance(callbacks, Iterable) and not isinstance(callbacks, type)
    found = []
    for one in callbacks if several else [callbacks]:
        made = _made(one) if inspect.isclass(one) else one
        if not any(callable(getattr(made, event, None)) for event in EVENTS):
            raise UserError(
                f"{type(made).__name__} is no callback",
                where="callbacks",
                todo="Give objects of transformers.TrainerCallback, with methods such as on_log",
            )
        found.append(made)
    return found


def _made(kind: type) -> Any:
    try:
        return kind()
    except TypeError as error:
        raise UserError(
            f"{kind.__name__} can't be made without arguments ({error})",
            where="callbacks",
            todo="Give an object of it",
        ) from None


def _refused(callback: Any, why: str) -> UserError:
    todo = ""
    if "Strategy" in why or "metric_for_best_model" in why:
        todo = "Hold out development data: dev=..., or dev_size above 0"
    elif "epoch_stop" in why:
        todo = "Set control.should_training_stop"
    return UserError(
        why or "the callback refused the run", where=type(callback).__name__, todo=todo
    )
