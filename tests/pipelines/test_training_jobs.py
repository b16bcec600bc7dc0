from __future__ import annotations

from pathlib import Path

import pytest

from xadapt.config.recipe_file import changed_recipe, find_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.pipelines.train import TrainingJob
from xadapt.pipelines.training_jobs import plan_jobs

RECIPE = changed_recipe(find_recipe("translation_ranking"))
JOB = TrainingJob("mini", (), Path("out"), licence="mit")
SOURCES = [Source("a.tsv", "sw"), Source("b.tsv", "de"), Source("c.tsv", "sw", data="more")]


def folders(sources=SOURCES, **more):
    return [(job.out, [s.path for s in job.sources], recipe.seed, [s.path for s in job.dev])
            for recipe, job in plan_jobs(RECIPE, JOB, sources, SOURCES[:2], **more)]  # fmt: skip


def test_one_module_a_language_or_one_for_all() -> None:
    out = Path("out")
    assert folders() == [
        (out / "sw", ["a.tsv", "c.tsv"], 0, ["a.tsv"]), (out / "de", ["b.tsv"], 0, ["b.tsv"]),
    ]  # fmt: skip
    assert folders(joint=True) == [(out, ["a.tsv", "b.tsv", "c.tsv"], 0, ["a.tsv", "b.tsv"])]
    assert folders(SOURCES[:1]) == [(out, ["a.tsv"], 0, ["a.tsv"])]
    [(_, job), _] = plan_jobs(RECIPE, JOB, SOURCES)
    assert job.licence == "mit" and job.base == "mini"


def test_several_seeds() -> None:
    found = folders(seeds=2)
    assert [(folder, seed) for folder, _, seed, _ in found] == [
        (Path("out") / tag / f"seed-{n}", n) for tag in ("sw", "de") for n in (0, 1)
    ]
    with pytest.raises(UserError, match="0 runs are no run"):
        folders(seeds=0)
    with pytest.raises(UserError, match="joint does nothing for one language"):
        folders(SOURCES[:1], joint=True)


def test_an_entry_may_be_in_a_language_of_its_own() -> None:
    recipe = changed_recipe(find_recipe("prokd_teacher"), ["data.target.lang=deu"])
    given = [Source("en.conll", "en"), Source("de.conll", "en", data="target")]
    [(_, job)] = plan_jobs(recipe, JOB, given, given[:1])
    assert [(s.path, s.lang) for s in job.sources] == [("en.conll", "en"), ("de.conll", "de")]
    assert [s.lang for s in job.dev] == ["en"] and job.out == Path("out")
    with pytest.raises(UserError, match="language"):
        changed_recipe(find_recipe("prokd_teacher"), ["data.target.lang=no language"])
