from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from xadapt.config.recipe import ObjectiveSpec, Recipe, TrainSpec, strict
from xadapt.core.errors import UserError

LEAST = {
    "name": "x",
    "source": {"paper": "p", "url": "https://example.org"},
    "module": {"kind": "lora", "rank": 4},
    "objectives": [{"name": "distillation", "side": "pivot", "share": 0.5}],
}


def test_the_least_recipe_has_every_default():
    recipe = Recipe.model_validate(LEAST)
    assert recipe.train == TrainSpec() and recipe.data["train"].reader == "parallel"
    assert recipe.module.options() == {"rank": 4}
    assert recipe.objectives[0].build().side == "pivot"
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("key", ["name", "source", "module", "objectives"])
def test_what_must_be_there(key):
    with pytest.raises(ValidationError, match=key):
        Recipe.model_validate({k: v for k, v in LEAST.items() if k != key})


@pytest.mark.parametrize(
    "change",
    [
        {"objectives": []},
        {"nam": 1},
        {"dtype": "float16"},
        {"train": {"epochs": 0}},
        {"train": {"warmup": 1.5}},
        {"train": {"learning_rate": 0}},
        {"data": {"train": {"dev": -1}}},
        {"train": {"schedule": "sine"}},
        {"evaluation": {"task": "bitex"}},
    ],
)
def test_wrong_values_are_refused(change):
    with pytest.raises(ValidationError):
        Recipe.model_validate({**LEAST, **change})


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_is_a_share(share):
    with pytest.raises(ValidationError):
        ObjectiveSpec(name="mlm", share=share)


def test_objective_options_are_strict():
    with pytest.raises(ValidationError, match="sides"):
        ObjectiveSpec.model_validate({"name": "distillation", "sides": "text"}).build()
    with pytest.raises(ValidationError, match="needs pivot: frozen"):
        ObjectiveSpec.model_validate({"name": "translation_ranking", "pivot": "active"}).build()
    with pytest.raises(UserError, match="did you mean 'distillation'"):
        ObjectiveSpec(name="distilation").build()


def test_strict_checks_any_dataclass():
    @dataclass(frozen=True)
    class Mine:
        rate: float = 0.5

    assert strict(Mine).validate_python({"rate": "2e-3"}).rate == 0.002
    with pytest.raises(ValidationError):
        strict(Mine).validate_python({"rat": 1})
