from __future__ import annotations

import numpy as np
import pytest

from xadapt.config.recipe import ModuleSpec, Recipe
from xadapt.config.recipe_file import changed_recipe, check_recipe, find_recipe, recipe_names
from xadapt.config.recipe_options import changes_of, nested_changes, option_names, plain
from xadapt.core import registry
from xadapt.core.errors import UserError

RANKING = find_recipe("translation_ranking")


def changed(*settings, recipe=RANKING, **options) -> Recipe:
    given = settings[0] if len(settings) == 1 else settings
    return changed_recipe(recipe, given, options, ["out"])


def test_every_option_has_a_place() -> None:
    parts = {**registry_fields("modules"), **registry_fields("objectives")}
    for name, (place, *_) in option_names().items():
        first, *rest = place.split(".")
        if first == "train":
            assert rest[0] in Recipe.model_fields["train"].annotation.model_fields
        elif first in ("module", "objectives"):
            assert rest[-1] in {**parts, **ModuleSpec.model_fields}, name
        elif first != "data":
            assert place in Recipe.model_fields


def test_every_option_of_schedule_and_modules_has_a_name() -> None:
    places = {place for place, *_ in option_names().values()}
    train = Recipe.model_fields["train"].annotation.model_fields
    assert {f"train.{name}" for name in train} <= places
    own = {f"module.{name}" for name in registry_fields("modules")}
    # Temperature is found, see below; the others are of one kind alone.
    words = ("size", "start", "pieces", "tokens", "tokenizer_bytes", "started", "row_dtype",
             "row_bytes", "tokenizer", "dictionary", "languages", "acts_on")  # fmt: skip
    other = ("temperature", "value", "count", "module", *words)
    assert own - places <= {f"module.{name}" for name in other}


def registry_fields(room: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in registry.names(room):
        part = registry.load(room, name)
        options = getattr(part, "Options", None)
        found |= options.model_fields if options else part.__annotations__
    return found


def test_options_change_the_recipe() -> None:
    recipe = changed(epochs=3, lr=1e-4, seed=7, rank=np.int64(4), layers=(0, 2), warmup_ratio=0.2,
                     max_length=64, dev_size=0, sites=("q", "v"), temperature=0.1)  # fmt: skip
    assert (recipe.train.epochs, recipe.train.learning_rate, recipe.train.warmup) == (3, 1e-4, 0.2)
    assert recipe.seed == 7 and recipe.max_length == 64 and recipe.data["train"].dev == 0
    options = recipe.module.options()
    assert options["rank"] == 4 and options["layers"] == [0, 2] and options["sites"] == ["q", "v"]
    assert recipe.objectives[0].build().temperature == 0.1
    mixture = changed(recipe=find_recipe("mixture_of_loras"), temperature=0.5)
    assert mixture.module.options()["temperature"] == 0.5


def test_none_changes_nothing() -> None:
    assert changed(epochs=None, rank=None) == changed()


def test_settings_as_text_and_as_dicts() -> None:
    wanted = changed("train.epochs=3", "objectives.distillation.weight=2", "module.rank=8")
    nested = {
        "train": {"epochs": 3}, "objectives": {"distillation": {"weight": 2}}, "module.rank": 8,
    }  # fmt: skip
    assert changed(nested) == wanted
    assert changed("module.rank=8") == changed_recipe(RANKING, "module.rank=8")


@pytest.mark.parametrize("form", ["recipe", "dict"])
def test_a_recipe_in_memory_is_changed_too(form: str) -> None:
    start = changed()
    given = start if form == "recipe" else start.model_dump(mode="json")
    assert changed("train.epochs=2", recipe=given, rank=4) == changed("train.epochs=2", rank=4)
    assert start == changed()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_survives_its_own_dump(name: str) -> None:
    recipe = changed_recipe(find_recipe(name))
    assert check_recipe(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ((), {"epoch": 3}, "unknown option 'epoch'; did you mean 'epochs'"),
        ((), {"learning_rat": 3}, "did you mean 'learning_rate'"),
        ((), {"outt": 3}, "did you mean 'out'"),
        ((), {"qqqqqq": 3}, "settings={...} changes any other part"),
        ((), {"lr": 1.0, "learning_rate": 1.0}, "learning_rate and lr are the same option"),
        ((), {"epochs": "many"}, "epochs: train.epochs: input should be a valid integer"),
        ((), {"epochs": 0}, "epochs: train.epochs: input should be greater than 0"),
        ((), {"width": 3}, "width: unknown key 'width'"),
        ((), {"scheme": "bio"}, "no objective of this recipe has the option 'scheme'"),
        (("train.epochs=3",), {"epochs": 2}, "epochs and --set train.epochs change the same value"),
        (({"train": {"epoch": 3}},), {}, "settings train.epoch: unknown key 'epoch'"),
        (({"objectives": {"none": {"weight": 2}}},), {}, "there is no 'none' in the recipe"),
        (("epochs",), {}, "--set wants key=value"),
    ],
)
def test_mistakes(settings, options, said) -> None:
    with pytest.raises(UserError, match=said):
        changed(*settings, **options)


def test_values_become_plain() -> None:
    assert plain(np.float32(0.5)) == 0.5 and type(plain(np.int64(3))) is int
    assert plain({"a": (1, np.array([2]))}) == {"a": [1, [2]]}
    [change] = nested_changes({"a.b": {"c": (1, 2)}})
    assert (change.path, change.value, change.name) == (("a", "b", "c"), [1, 2], "settings a.b.c")
    assert changes_of({}, {}) == []
