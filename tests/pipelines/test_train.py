from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_commands import QUICK, Place, everything

from xadapt import integrations as bridges
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.hub.opening import read_manifest
from xadapt.pipelines import train as run
from xadapt.training.loop import Trainer
from xadapt.training.metrics_log import read_metrics


def recipe(*settings: str) -> Recipe:
    return load_recipe(find_recipe("translation_ranking"), [*QUICK[1::2], *settings])


def nothing(*_: Any) -> Mapping[str, Any]:
    return {}


def job(place: Place, out: Path, **more: Any) -> run.TrainingJob:
    return run.TrainingJob(
        str(place.base), (Source(str(place.data), "de"),), out, show=False, **more
    )


def test_a_run_says_what_it_read_and_leaves_a_module(place: Place, tmp_path: Path) -> None:
    said: list[str] = []
    done = run.train(recipe(), job(place, tmp_path / "m"), bridges.compare_loaders, said.append)
    assert said[0] == "pairs.tsv: column 1 is read as en, column 2 as de"
    assert said[1] == "de: 60 of 60 pairs kept" and "3,072 values to train" in said[3]
    assert done.seconds > 0 and 0 < done.padding < 1 and not done.reused
    assert done.manifest == read_manifest(tmp_path / "m")
    assert {e.sides for e in done.manifest.evidence} == {"language", "both"}


def test_a_finished_run_is_taken_as_it_is(place: Place, tmp_path: Path) -> None:
    first = run.train(recipe(), job(place, tmp_path / "m"), nothing)
    again = run.train(recipe(), job(place, tmp_path / "m", resume=True), nothing)
    assert again.reused and again.manifest == first.manifest and again.padding == 0
    other = run.TrainingJob(
        str(place.base), (Source(str(place.data), "sw"),), tmp_path / "m", resume=True
    )
    with pytest.raises(UserError, match="another language"):
        run.train(recipe(), other, nothing)


@pytest.fixture(scope="module")
def finished(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "m"
    run.train(recipe(), job(place, out, licence="mit"), nothing)
    return out


def other_base(place: Place, tmp_path: Path) -> Path:
    """The same base with one value changed."""
    folder = tmp_path / "base"
    shutil.copytree(place.base, folder)
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "query.weight" in name)
    tensors[name][0, 0] += 0.5
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def more_lines(place: Place, tmp_path: Path) -> Path:
    """The same data with one pair more."""
    path = tmp_path / "pairs.tsv"
    path.write_text(place.data.read_text() + "two cat\teins hund\n")
    return path


CHANGES: dict[str, tuple[Callable[[Place, Path], dict[str, Any]], str]] = {
    "base": (lambda p, t: {"base": str(other_base(p, t))}, "another base .weights"),
    "no base": (lambda p, t: {"base": "/nonexistent"}, "no base"),
    "data": (lambda p, t: {"sources": (Source(str(more_lines(p, t)), "de"),)}, "another data"),
    "no data": (lambda p, t: {"sources": (Source(str(t / "none.tsv"), "de"),)}, "no such file"),
    "dev": (lambda p, t: {"dev": (Source(str(p.test), "de"),)}, "another development pairs"),
    "pivot": (lambda p, t: {"sources": (Source(str(p.data), "de", "fr"),)}, "another pivot"),
    "controls": (lambda p, t: {"controls": True}, "without the shuffled-pairs control"),
    "licence": (lambda p, t: {"licence": "apache-2.0"}, "another licence"),
    "base id": (lambda p, t: {"base_id": "some/one"}, "another base id"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_finished_module_is_taken_only_if_all_is_the_same(
    place: Place, finished: Path, tmp_path: Path, case: str
) -> None:
    change, said = CHANGES[case]
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    asked = replace(job(place, finished, resume=True), **change(place, tmp_path))
    with pytest.raises(UserError, match=said) as caught:
        run.train(recipe(), asked, nothing)
    assert "\n" not in str(caught.value)
    assert before == {path: path.stat().st_mtime_ns for path in finished.rglob("*")}


def test_a_file_of_another_name_or_nothing_asked_is_the_same(
    place: Place, finished: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copy(place.data, tmp_path / "renamed.tsv"))
    again = replace(job(place, finished, resume=True), sources=(Source(str(copied), "de"),))
    assert run.train(recipe(), again, nothing).reused
    assert run.train(recipe(), replace(again, licence="mit"), nothing).reused


@pytest.mark.parametrize("case", ["base", "data", "dev"])
def test_a_folder_without_an_identity_is_compared_by_its_manifest(
    place: Place, finished: Path, tmp_path: Path, case: str
) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished, old)
    (old / "run" / "identity.json").unlink()
    asked = replace(job(place, old, resume=True), **CHANGES[case][0](place, tmp_path))
    if case == "dev":  # other data is held out, so other rows are trained on
        with pytest.raises(UserError, match="another data"):
            run.train(recipe(), asked, nothing)
    else:
        with pytest.raises(UserError, match=CHANGES[case][1]):
            run.train(recipe(), asked, nothing)
    assert run.train(recipe(), job(place, old, resume=True), nothing).reused


def test_a_module_of_the_composition_that_was_trained_anew_is_another(
    place: Place, tmp_path: Path
) -> None:
    run.train(recipe(), job(place, tmp_path / "lang"), nothing)
    inner = job(place, tmp_path / "m", compose=(f"{tmp_path / 'lang'} + self",))
    run.train(recipe(), inner, nothing)
    assert run.train(recipe(), replace(inner, resume=True), nothing).reused
    shutil.rmtree(tmp_path / "lang")
    run.train(recipe("seed=5"), job(place, tmp_path / "lang"), nothing)
    with pytest.raises(UserError, match="another composition"):
        run.train(recipe(), replace(inner, resume=True), nothing)


def test_the_control_is_chosen_and_stopped_as_the_module_is(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Trainer] = []
    real = Trainer.train

    def watched(self: Trainer, resume: bool = False) -> Any:
        seen.append(self)
        return real(self, resume)

    values = iter([0.5, 0.9, 0.1, 0.1] * 2)
    monkeypatch.setattr(Trainer, "train", watched)
    monkeypatch.setattr(run, "dev_scores", lambda trainer, dev: {"score": next(values)})
    plan = recipe("train.epochs=8", "train.evaluations=8", "train.patience=2")
    run.train(plan, job(place, tmp_path / "m", controls=True), nothing)
    module, control = seen
    logs = [read_metrics(tmp_path / "m" / "run" / name) for name in
            ("metrics.jsonl", "shuffled/metrics.jsonl")]  # fmt: skip
    marks = [[row["step"] for row in log if "dev" in row] for log in logs]
    assert marks[0] == marks[1] and len(marks[0]) == 4  # both stopped two after their best
    for trainer in (module, control):
        assert trainer.progress.best_step == marks[0][1] and trainer.progress.best_score == 0.9
    stored = load_file(tmp_path / "m" / "controls" / "shuffled.safetensors")
    best = {k.removeprefix("module."): v for k, v in control.best.items()}
    assert stored.keys() == best.keys()
    assert all(torch.equal(stored[name], best[name]) for name in stored)


def test_the_control_is_judged_by_the_true_pairs(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[Any]] = []
    real = run.dev_scores

    def watched(trainer: Trainer, dev: Any) -> dict[str, float]:
        asked.append(list(dev))
        return real(trainer, dev)

    monkeypatch.setattr(run, "dev_scores", watched)
    run.train(recipe(), job(place, tmp_path / "m", controls=True), nothing)
    assert len(asked) == 8 and asked[0] and all(dev == asked[0] for dev in asked)


def test_nothing_is_said_or_written_before_all_is_known_to_be_right(
    place: Place,
    tmp_path: Path,
) -> None:
    said: list[str] = []
    bad = job(place, tmp_path / "m", licence="not\na licence", base_id="../up")
    with pytest.raises(UserError):
        run.train(recipe(), bad, nothing, said.append)
    assert said == [] and everything(tmp_path) == []


def test_check_reads_every_job(place: Place, tmp_path: Path) -> None:
    bad = run.TrainingJob(
        str(place.base), (Source(str(tmp_path / "none.tsv"), "de"),), tmp_path / "b"
    )
    run.check(recipe(), [job(place, tmp_path / "a")])
    with pytest.raises(UserError, match="no such file"):
        run.check(recipe(), [job(place, tmp_path / "a"), bad])
    assert everything(tmp_path) == []


def test_other_development_pairs_are_another_run(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "publish", stop)
        run.train(recipe(), job(place, tmp_path / "m"), nothing)
    again = job(place, tmp_path / "m", resume=True, dev=(Source(str(place.test), "de"),))
    with pytest.raises(UserError, match=r"another .*development pairs"):
        run.train(recipe(), again, nothing)
    run.train(recipe(), job(place, tmp_path / "m", resume=True), nothing)
