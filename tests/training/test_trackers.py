from __future__ import annotations

from pathlib import Path

import pytest
from accelerate import PartialState
from accelerate.tracking import GeneralTracker, get_available_trackers

from xadapt.core.errors import UserError
from xadapt.training import trackers
from xadapt.training.trackers import Trackers, tracker_names

INSTALLED = {str(getattr(one, "value", one)) for one in get_available_trackers()}


def test_names() -> None:
    assert tracker_names(None) == tracker_names("none") == tracker_names([]) == []
    if "tensorboard" in INSTALLED:
        assert tracker_names("tensorboard, none") == ["tensorboard"]
        assert tracker_names(["tensorboard", "tensorboard"]) == ["tensorboard"]
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        tracker_names("tensorbord")
    for name in {"wandb", "trackio"} - INSTALLED:
        with pytest.raises(UserError, match=f"{name} is not installed. pip install {name}"):
            tracker_names(name)


def test_a_tracker_without_a_folder_gets_project_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []

    class Mine(GeneralTracker):
        name, requires_logging_directory, tracker = "mine", False, None

        def __init__(self, project: str, **more: object) -> None:
            super().__init__()
            said.append((project, more))

        def store_init_configuration(self, values: dict) -> None:
            said.append(values)

        def log(self, values: dict, step: int | None = None, **more: object) -> None:
            said.append((step, values))

        def finish(self) -> None:
            said.append("finish")

    PartialState(cpu=True)
    monkeypatch.setitem(trackers.LOGGER_TYPE_TO_CLASS, "mine", Mine)
    monkeypatch.setenv("MINE_PROJECT", "names")
    opened = Trackers(["mine"], tmp_path, "sw", {"train": {"epochs": 2}, "sites": ["q"]})
    opened.log({"step": 3, "loss": 0.5, "dev": {"score": 0.1}, "text": "no number"})
    opened.finish()
    assert said == [
        ("names", {"name": "sw"}), {"train/epochs": 2, "sites": "['q']"},
        (3, {"loss": 0.5, "dev/score": 0.1}), "finish",
    ]  # fmt: skip
