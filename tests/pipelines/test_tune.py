from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_commands import QUICK, Place, everything
from tiny_folders import tensor_file
from tiny_models import tiny_folder

from xadapt.backbones.encoder import encoder as encoder_file
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.hub.opening import read_manifest
from xadapt.pipelines import train as run
from xadapt.pipelines import tune as tuning
from xadapt.pipelines.tuning_result import TuningResult
from xadapt.training.loop import Trainer

FILES = {"best", "best.yaml", "study.db", "trials.csv", "trials.svg"}
SPACE = ("learning_rate=1e-4..1e-2:log", "rank=1,2,4")


def recipe(*settings: str) -> Recipe:
    quick = (*QUICK[1::2], "train.evaluations=2", "train.epochs=2", "module.layers=[2, 4]")
    return load_recipe(find_recipe("translation_ranking"), [*quick, *settings])


def nothing(*_: Any) -> Mapping[str, Any]:
    return {}


def job(place: Place, out: Path, **more: Any) -> run.TrainingJob:
    return run.TrainingJob(
        str(place.base), (Source(str(place.data), "de"),), out, show=False, **more
    )


def search(
    place: Place, out: Path, trials: int = 3, plan: Recipe | None = None, **more: Any
) -> TuningResult:
    space = more.pop("parameters", SPACE)
    said = more.pop("report", lambda _: None)
    return tuning.tune(plan or recipe(), job(place, out, **more), nothing, trials=trials,
                       parameters=space, report=said)  # fmt: skip


def kept(result: TuningResult) -> list[tuple[Any, ...]]:
    """What does not depend on the clock."""
    return [(t.number, dict(t.values), t.state, t.score, t.step) for t in result.trials]


@pytest.fixture(scope="module")
def searched(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TuningResult, list[str]]:
    out, said = tmp_path_factory.mktemp("searched") / "out", []
    return search(place, out, report=said.append), said


def test_a_search_leaves_the_best_module_its_recipe_and_the_table(place: Place, searched) -> None:
    result, said = searched
    assert {file.name for file in result.folder.iterdir()} == FILES
    best = max(result.trials, key=lambda trial: trial.score)
    assert result.best == best and len(result.trials) == 3
    manifest = read_manifest(result.module)
    assert result.module == result.folder / "best" and manifest.evidence
    assert manifest.recipe["module"]["rank"] == int(best.values["module.rank"])
    plan = load_recipe(result.folder / "best.yaml")
    assert plan == result.recipe and plan.model_dump(mode="json") == manifest.recipe
    rows = list(csv.DictReader((result.folder / "trials.csv").open()))
    assert [float(row["score"]) for row in rows] == [trial.score for trial in result.trials]
    assert [row["best"] for row in rows].count("True") == 1
    assert "<svg" in (result.folder / "trials.svg").read_text()
    assert any("no test data are read" in line for line in said)
    assert any(line.startswith("trial 3 of 3: learning_rate=") for line in said)


def test_the_first_trial_is_the_recipe_itself(searched) -> None:
    first = searched[0].trials[0]
    assert first.values == {"train.learning_rate": "0.0008", "module.rank": "2"}


def test_the_best_recipe_trains_the_best_module(place: Place, searched, tmp_path: Path) -> None:
    result = searched[0]
    plan = load_recipe(result.folder / "best.yaml")
    run.train(plan, job(place, tmp_path / "m"), nothing)
    one, two = (tensor_file(f) for f in (tmp_path / "m", result.module))
    assert one.read_bytes() == two.read_bytes()


def test_the_result_shows_itself(searched) -> None:
    result = searched[0]
    text = repr(result)
    assert "3 trials, scored on" in text and "no test data were read" in text
    assert text.count("best") >= 1 and "learning_rate" in text and len(text.splitlines()) < 12
    assert result._repr_html_().count("<tr>") == 4
    frame = result.to_pandas()
    assert list(frame["score"]) == [t.score for t in result.trials] and frame["best"].sum() == 1
    told = result.to_dict()
    assert told["best"]["number"] == result.best.number and "development" in told["selected_on"]
    assert str(result.folder.parent) not in str(told)


def test_later_trials_compute_nothing_of_the_frozen_base_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states below the first module are computed by the first trial that needs them."""
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    layers: list[tuple[int, int]] = []
    real = encoder_file.Encoder.run
    preparing = False

    def counted(self, hidden, mask, start=0, stop=None, **more):
        if preparing:
            layers.append((start, len(hidden)))
        return real(self, hidden, mask, start, stop, **more)

    prepare = Trainer._prepare
    calls: list[int] = []

    def watched(self):
        nonlocal preparing
        preparing, before = True, len(layers)
        prepare(self)
        preparing = False
        calls.append(len(layers) - before)

    monkeypatch.setattr(encoder_file.Encoder, "run", counted)
    monkeypatch.setattr(Trainer, "_prepare", watched)
    search(place, tmp_path / "out")
    assert calls[0] > 0 and calls[1:] == [0, 0]


class Interrupted:
    """A callback that ends the process's work in one trial, before or after a checkpoint."""

    def __init__(self, at: int, event: str) -> None:
        self.at, self.event, self.begun = at, event, 0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.begun += 1

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        self._end("on_evaluate")

    def on_save(self, *_: Any, **__: Any) -> None:
        self._end("on_save")

    def _end(self, event: str) -> None:
        if (self.begun, event) == (self.at, self.event):
            raise KeyboardInterrupt


@pytest.mark.parametrize("event", ["on_evaluate", "on_save"])
@pytest.mark.parametrize("at", [1, 2])
def test_an_interrupted_search_ends_as_an_uninterrupted_one(
    place: Place, searched, tmp_path: Path, at: int, event: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        search(place, out, callbacks=(Interrupted(at, event),))
    assert (out / "trials.csv").exists() == (at == 2)
    if (at, event) == (1, "on_evaluate"):  # before the first checkpoint nothing is left
        assert everything(tmp_path) == []
    result = search(place, out, resume=True)
    assert kept(result) == kept(searched[0])
    one, two = (tensor_file(r.module) for r in (result, searched[0]))
    assert one.read_bytes() == two.read_bytes()
    assert {file.name for file in out.iterdir()} == FILES


def test_more_trials_go_on_and_fewer_change_nothing(place: Place, searched, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(searched[0].folder, out)
    same = search(place, out, trials=2, resume=True)
    assert kept(same) == kept(searched[0]) and same.training.reused
    more = search(place, out, trials=5, resume=True)
    assert kept(more)[:3] == kept(searched[0]) and len(more.trials) == 5
    assert {file.name for file in out.iterdir()} == FILES
    assert read_manifest(more.module).recipe == more.recipe.model_dump(mode="json")


def test_a_search_is_not_written_over(place: Place, searched, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in searched[0].folder.rglob("*")}
    with pytest.raises(UserError, match=r"holds a search. Add --resume"):
        search(place, searched[0].folder)
    other = [
        ({"parameters": ("rank=1,2",)}, "another searched parameters"),
        ({"plan": recipe("train.epochs=3")}, "another recipe"),
        ({"sources": (Source(str(place.test), "de"),)}, "another data"),
    ]
    for change, said in other:
        with pytest.raises(UserError, match=said):
            if "sources" in change:
                asked = replace(job(place, searched[0].folder, resume=True), **change)
                tuning.tune(recipe(), asked, nothing, trials=4, parameters=SPACE)
            else:
                search(place, searched[0].folder, resume=True, **change)
    assert before == {p: p.stat().st_mtime_ns for p in searched[0].folder.rglob("*")}
    (tmp_path / "own.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(UserError, match="not empty"):
            search(place, tmp_path, resume=resume)
    assert everything(tmp_path) == ["own.txt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trials": 0}, "0 trials are no search"),
        ({"plan": recipe("data.train.dev=0")}, "no development records"),
        ({"parameters": ("layers=[0,9]",)}, r"an encoder of 4 layers"),
        ({"parameters": ("sites=[q],[nose]",)}, "no site 'nose'"),
        ({"parameters": ("rank=",)}, "no parameter"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    place: Place, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        search(place, tmp_path / "out", **change)
    assert "\n" not in str(caught.value) and everything(tmp_path) == []


def test_a_base_or_data_that_is_not_there_leaves_nothing(place: Place, tmp_path: Path) -> None:
    for change in ({"base": "/nonexistent"}, {"sources": (Source(str(tmp_path / "no"), "de"),)}):
        with pytest.raises(UserError):
            tuning.tune(recipe(), replace(job(place, tmp_path / "out"), **change), nothing)
        assert everything(tmp_path) == []


def test_a_trial_that_diverges_counts_and_the_search_goes_on(place: Place, tmp_path: Path) -> None:
    wild = ("learning_rate=0.0008,1e30",)
    result = search(place, tmp_path / "out", 4, recipe("train.warmup=0"), parameters=wild)
    states = {trial.values["train.learning_rate"]: trial for trial in result.trials}
    assert states["1.0e+30"].state == "failed" and "not finite" in states["1.0e+30"].note
    assert result.best.values["train.learning_rate"] == "0.0008"
    assert result.to_pandas()["score"].isna().any() and "failed" in repr(result)


def test_a_score_that_is_no_number_fails_the_trial(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "dev_scores", lambda *_: {"score": float("nan")})
    with pytest.raises(UserError, match="its development score is no finite number"):
        search(place, tmp_path / "out", 1)


def test_if_every_trial_diverges_the_reason_is_given(place: Place, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trial gave a module; the last one: .*not finite"):
        search(
            place,
            tmp_path / "out",
            2,
            recipe("train.warmup=0"),
            parameters=("learning_rate=1e30,2e30",),
        )


def test_a_recipe_without_a_score_says_so(tmp_path: Path) -> None:
    plan = load_recipe(find_recipe("mlm"), ["data.train.dev=5"])
    text = tmp_path / "plain.txt"
    text.write_text("".join(f"die katze {n}\n" for n in range(40)))
    base = tiny_folder(tmp_path / "base", mlm=True)
    asked = run.TrainingJob(str(base), (Source(str(text), "de"),), tmp_path / "out", show=False)
    with pytest.raises(UserError, match="so trials can't be compared"):
        tuning.tune(plan, asked, nothing, trials=1)
    assert not (tmp_path / "out").exists()


def test_several_processes_are_refused(place: Place, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="a search runs in one process"):
        search(place, tmp_path / "out")
