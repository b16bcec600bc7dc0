from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_training import pairs, trainer
from transformers import EarlyStoppingCallback, TrainerCallback

from xadapt.core.errors import UserError
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training.history import History
from xadapt.training.loop import Trainer
from xadapt.training.tasks import Task


class Records(TrainerCallback):
    def __init__(self) -> None:
        self.events: list[str] = []
        self.best: list[float | None] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        assert {"model", "processing_class", "optimizer", "lr_scheduler"} <= set(more)
        self.events.append(f"begin {state.global_step}/{state.max_steps}")

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.events.append(f"epoch begins {state.epoch}")

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.events.append(f"step {state.global_step}")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        if "loss" in logs:
            assert logs["epoch"] == state.epoch and "learning_rate" in logs

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **more: Any) -> None:
        self.events.append(f"evaluate {metrics['eval_score']}")
        self.best.append(state.best_metric)

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.events.append("save")

    def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.events.append(f"epoch ends {state.epoch}")

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.events.append("end")


class Asks(TrainerCallback):
    """Asks for something after one step."""

    def __init__(self, step: int, **switches: bool) -> None:
        self.step, self.switches = step, switches

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == self.step:
            for name, value in self.switches.items():
                setattr(control, name, value)
        return control


def made(folder: Path, *callbacks: Any, scores: Any = None, **spec: Any) -> Trainer:
    task = Task("translation_ranking", TranslationRanking(), pairs(16))
    found = trainer(folder, [task], run={"callbacks": callbacks}, **spec)
    values = iter(scores) if scores is not None else None
    if values is not None:
        found.run.score = lambda: {"score": next(values)}
    return found


def test_events_come_in_the_order_of_transformers(tmp_path: Path) -> None:
    seen = Records()
    made(tmp_path, seen, scores=[0.1, 0.3], epochs=2, evaluations=2).train()
    step = [f"step {n}" for n in range(1, 9)]
    assert seen.events == [
        "begin 0/8",
        "epoch begins 0.0", *step[:4], "evaluate 0.1", "epoch ends 1.0", "save",
        "epoch begins 1.0", *step[4:], "evaluate 0.3", "epoch ends 2.0", "save",
        "end",
    ]  # fmt: skip
    assert seen.best == [None, 0.1]


def test_a_callback_stops_the_run_and_the_best_weights_stay(tmp_path: Path) -> None:
    run = made(tmp_path, EarlyStoppingCallback(2), scores=[0.5, 0.4, 0.3, 0.9], evaluations=4)
    progress = run.train()
    assert (progress.step, progress.best_step, progress.finished) == (3, 1, True)
    assert len(History.read(tmp_path / "metrics.jsonl").steps) == 3
    assert made(tmp_path, scores=[]).train(resume=True).step == 3  # the run is over


def test_a_callback_asks_for_a_score_and_a_checkpoint(tmp_path: Path) -> None:
    seen = Records()
    asks = Asks(2, should_evaluate=True, should_save=True)
    made(tmp_path, asks, seen, scores=[0.5, 0.6], evaluations=1).train()
    assert seen.events[2:6] == ["step 1", "step 2", "evaluate 0.5", "save"]
    made(tmp_path / "stop", Asks(3, should_training_stop=True)).train()
    assert len(History.read(tmp_path / "stop" / "metrics.jsonl").steps) == 3


def test_callbacks_change_nothing(tmp_path: Path) -> None:
    plain, watched = made(tmp_path / "a"), made(tmp_path / "b", Records(), EarlyStoppingCallback)
    watched.run.score = plain.run.score = lambda: {"score": 0.0}
    watched.events.callbacks.given.pop()
    plain.train(), watched.train()
    rows = [History.read(tmp_path / name / "metrics.jsonl") for name in "ab"]
    assert [row["loss"] for row in rows[0].steps] == [row["loss"] for row in rows[1].steps]


def test_a_resumed_run_goes_on_with_the_state_of_its_callbacks(tmp_path: Path) -> None:
    class Breaks(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step == 2:
                raise RuntimeError("killed")

    stopper = EarlyStoppingCallback(2)
    first = made(tmp_path, stopper, Breaks, scores=[0.5, 0.4, 0.3, 0.2], evaluations=4)
    with pytest.raises(RuntimeError, match="killed"):
        first.train()
    seen = Records()
    again = made(tmp_path, EarlyStoppingCallback(2), seen, scores=[0.3, 0.2], evaluations=4)
    assert again.train(resume=True).step == 3 and seen.best == [0.5]
    assert seen.events[0] == "begin 2/4"


def test_a_run_without_scores_refuses_early_stopping(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Hold out development data"):
        made(tmp_path, EarlyStoppingCallback()).train()
    with pytest.raises(UserError, match="int is no callback"):
        made(tmp_path, 3)


def test_numbers_reach_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    task = Task("translation_ranking", TranslationRanking(), pairs(16))
    run = trainer(
        tmp_path / "out" / "run", [task], run={"report_to": ["tensorboard"], "config": {"a": 1}}
    )
    run.run.score = lambda: {"score": 0.5}
    run.train()
    events = EventAccumulator(str(tmp_path / "out" / "run" / "tensorboard" / "out"))
    events.Reload()
    rows = [
        json.loads(line)
        for line in (tmp_path / "out" / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    logged = {e.step: e.value for e in events.Scalars("loss")}
    assert logged == {r["step"]: pytest.approx(r["loss"]) for r in rows if "loss" in r}
    assert [e.value for e in events.Scalars("dev/score")] == [0.5] * 4
