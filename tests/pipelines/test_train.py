from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny_commands import QUICK, Place, everything

from xadapt import integrations as bridges
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.hub.opening import read_manifest
from xadapt.pipelines import train as run


def recipe(*settings: str) -> Recipe:
    return load_recipe(find_recipe("translation_ranking"), [*QUICK[1::2], *settings])


def nothing(*_: Any) -> Mapping[str, Any]:
    return {}


def job(place: Place, out: Path, **more: Any) -> run.Job:
    return run.Job(str(place.base), (Source(str(place.data), "de"),), out, show=False, **more)


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
    other = run.Job(str(place.base), (Source(str(place.data), "sw"),), tmp_path / "m", resume=True)
    with pytest.raises(UserError, match="another recipe or language"):
        run.train(recipe(), other, nothing)


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
    bad = run.Job(str(place.base), (Source(str(tmp_path / "none.tsv"), "de"),), tmp_path / "b")
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
