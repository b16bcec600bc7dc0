from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from xadapt.core.errors import UserError
from xadapt.pipelines.search_space import Parameter
from xadapt.pipelines.study import (
    FAILED,
    FINISHED,
    STARTUP,
    STOPPED,
    AskedTrial,
    Study,
    TunedTrial,
)

SPACE = (Parameter("a", (), 0.0, 1.0), Parameter("b", ("x", "y", "z")))


@pytest.fixture
def open_study(tmp_path: Path):
    opened: list[Study] = []

    def made(name: str = "study.db", seed: int = 0) -> Study:
        opened.append(Study(tmp_path / name, SPACE, seed))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def end(study: Study, asked: AskedTrial, score: float | None) -> None:
    state = FAILED if score is None else STOPPED if asked.stopped else FINISHED
    study.tell(asked, TunedTrial(asked.number, asked.values, state, score))


def value(asked: AskedTrial) -> float:
    return float(asked.values["a"]) + "xyz".index(asked.values["b"])


def test_an_interrupted_study_tries_what_the_uninterrupted_one_tries(open_study) -> None:
    whole, parts = open_study("whole.db"), open_study("parts.db")
    for _ in range(12):
        asked = whole.ask()
        end(whole, asked, value(asked))
    for number in range(1, 13):
        if number in (4, 8):  # the process ends inside a trial, and the file is opened anew
            parts.ask()
            parts = open_study("parts.db")
        asked = parts.ask()
        assert asked.number == number
        end(parts, asked, value(asked))
    assert parts.trials == whole.trials
    assert [trial.number for trial in whole.trials] == list(range(1, 13))
    assert len({trial.values["a"] for trial in whole.trials}) == 12


def test_another_seed_tries_other_values(open_study) -> None:
    first, other = (open_study(f"{seed}.db", seed).ask().values for seed in (0, 1))
    assert first != other


def test_first_values_come_first_and_once(open_study) -> None:
    study = open_study()
    study.suggest_first({"a": 0.25, "b": "y"})
    asked = study.ask()
    assert asked.values == {"a": "0.25", "b": "y"}
    end(study, asked, 1.0)
    study.suggest_first({"a": 0.75, "b": "z"})
    assert study.ask().values["a"] not in ("0.25", "0.75")


def evaluated(asked: AskedTrial, step: int, score: float, steps: int = 4) -> bool:
    control = SimpleNamespace(should_training_stop=False)
    state = SimpleNamespace(global_step=step, max_steps=steps)
    asked.on_evaluate(None, state, control, metrics={"eval_score": score}, model=None)
    assert control.should_training_stop == asked.stopped
    return asked.stopped


def test_a_trial_below_the_median_stops_and_one_above_does_not(open_study) -> None:
    study = open_study()
    for number in range(STARTUP):
        asked = study.ask()
        assert not evaluated(asked, 1, number / 10) and not evaluated(asked, 2, number / 10)
        end(study, asked, number / 10)
    low, high = study.ask(), None
    assert evaluated(low, 1, 0.19)  # the median is .2
    end(study, low, 0.19)
    assert study.trials[-1].state == STOPPED
    high = study.ask()
    assert not evaluated(high, 1, 0.21) and evaluated(high, 2, 0.0) is False  # its best counts
    end(study, high, 0.21)


def test_a_trial_is_not_stopped_at_its_end(open_study) -> None:
    study = open_study()
    for _ in range(STARTUP):
        asked = study.ask()
        evaluated(asked, 4, 1.0)
        end(study, asked, 1.0)
    assert not evaluated(study.ask(), 4, 0.0)


def test_runs_of_other_lengths_compare_at_the_same_share(open_study) -> None:
    study = open_study()
    for _ in range(STARTUP):
        asked = study.ask()
        evaluated(asked, 50, 1.0, steps=100)
        end(study, asked, 1.0)
    assert evaluated(study.ask(), 5, 0.5, steps=10)


def test_reports_of_an_interrupted_trial_are_kept(open_study) -> None:
    study = open_study()
    evaluated(study.ask(), 1, 0.5)
    again = open_study().ask()
    assert again.trial.storage.get_trial(again.trial._trial_id).intermediate_values == {25: 0.5}


def test_failed_trials_count_and_keep_their_reason(open_study) -> None:
    study = open_study()
    asked = study.ask()
    study.tell(asked, TunedTrial(1, asked.values, FAILED, note="the loss is not finite"))
    assert study.trials[0].note == "the loss is not finite" and study.trials[0].score is None
    assert study.ask().number == 2


def test_facts_are_kept(open_study) -> None:
    open_study().remember("identity", {"base": "x", "n": [1]})
    assert open_study().facts["identity"] == {"base": "x", "n": [1]}


@pytest.mark.parametrize("name", ["a b#c?d=e&f.db", "ünï.db", "100%25.db", "a:b@c.db"])
def test_any_path_is_a_file(open_study, tmp_path: Path, name: str) -> None:
    open_study(name).remember("x", 1)
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("raw", [b"no database" * 500, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"no study that can be used") as caught:
        Study(path, SPACE, 0)
    assert "\n" not in str(caught.value) and path.read_bytes() == raw


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"'optuna', which is not installed. pip install .xadapt.t"):
        Study(tmp_path / "study.db", SPACE, 0)
    assert not list(tmp_path.iterdir())
