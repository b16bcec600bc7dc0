from __future__ import annotations

import optuna
import pytest

from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import changed_recipe, find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.pipelines.listing import list_recipes
from xadapt.pipelines.search_space import (
    Parameter,
    as_text,
    current,
    default_parameters,
    parameter_texts,
    read_parameters,
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(find_recipe("translation_ranking"))


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("learning_rate=1e-4..1e-3:log",
         Parameter("train.learning_rate", (), 1e-4, 1e-3, True)),
        ("train.learning_rate = 0.001..0.01", Parameter("train.learning_rate", (), 0.001, 0.01)),
        ("rank=4,8,16", Parameter("module.rank", ("4", "8", "16"))),
        ("rank=4..32:log", Parameter("module.rank", (), 4, 32, True)),
        ("rank=8, 4 ,8", Parameter("module.rank", ("8", "4"))),
        ("learning_rate=1e-4,5e-4", Parameter("train.learning_rate", ("0.0001", "0.0005"))),
        ("layers=all,[6,12]", Parameter("module.layers", ("all", "[6, 12]"))),
        ("sites=[q, v],[q]", Parameter("module.sites", ("[q, v]", "[q]"))),
        ("temperature=.02...1",
         Parameter("objectives.translation_ranking.temperature", (), .02, .1)),
        ("objectives.distillation.weight=1..20",
         Parameter("objectives.distillation.weight", (), 1, 20)),
        ("schedule=cosine,linear", Parameter("train.schedule", ("cosine", "linear"))),
        ("grad_cache=true,false", Parameter("train.grad_cache", ("true", "false"))),
    ],
)  # fmt: skip
def test_parameters_are_read(recipe: Recipe, text: str, parameter: Parameter) -> None:
    assert read_parameters([text], recipe) == (parameter,)
    assert read_parameters([str(parameter)], recipe) == (parameter,)  # it prints as it is read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rate", "'learning_rate' is no parameter"),
        ("", "'' is no parameter"),
        ("=4", "'=4' is no parameter"),
        ("rank=", "'rank=' is no parameter"),
        ("rnk=4,8", "unknown parameter 'rnk'; did you mean 'rank'"),
        ("rank=4,,8", "has an empty value"),
        ("rank=8..4", "the first end is the lower one"),
        ("rank=4..4", "the first end is the lower one"),
        ("learning_rate=0..1:log", "a logarithm needs numbers above 0"),
        ("learning_rate=a..b", "the ends are no numbers"),
        ("learning_rate=nan..1", "the ends are no numbers"),
        ("learning_rate=1..inf", "the first end is the lower one"),
        ("learning_rate=1e-4..1e-3:lin", "may end in :log, not in :lin"),
        ("learning_rate=1e-4..1e-3,1", "neither a range nor values"),
        ("rank=0,4", "greater than 0"),
        ("rank=four,8", "valid integer"),
        ("rank=4..8.5", "valid integer"),
        ("warmup=0..2", "less than or equal to 1"),
        ("schedule=cosine,cosin", "'cosine', 'linear' or 'constant'"),
        ("module.rnk=4", "did you mean 'rank'"),
        ("train.learning_rat=1", "did you mean 'learning_rate'"),
        ("objectives.mlm.weight=1", "there is no 'mlm' in the recipe"),
        ("seed=1,2", "unknown parameter 'seed'"),
        ("data.train.limit=10,20", "data.train.limit can't be searched"),
        ("dtype=float32", "unknown parameter 'dtype'"),
        ("weight=1,2", "weight is objectives"),
        ("rank=[4", "is no value"),
        ("rank={a: 1},8", "valid integer"),
    ],
)
def test_a_bad_parameter_is_one_line(recipe: Recipe, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_parameters([text], recipe)
    assert said in str(caught.value) and "--param" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_parameter_is_given_once(recipe: Recipe) -> None:
    with pytest.raises(UserError, match=r"module.rank is given twice"):
        read_parameters(["rank=4,8", "module.rank=2..4"], recipe)


@pytest.mark.parametrize("name", list(list_recipes()))
def test_the_defaults_fit_every_recipe_and_hold_its_own_values(name: str) -> None:
    recipe = load_recipe(find_recipe(name))
    found = default_parameters(recipe, 12)
    assert found[0].key == "train.learning_rate" and found[0].log
    for parameter in found:
        for text in parameter.edges():
            changed_recipe(recipe, [f"{parameter.key}={text}"])
    own = current(found, recipe)
    assert own is not None and own["train.learning_rate"] == recipe.train.learning_rate
    names = {parameter.name for parameter in found}
    kind = recipe.module.kind
    assert ("rank" in names) == (kind in ("lora", "mixture_of_loras", "linear_map"))
    assert ("width" in names) == (kind == "bottleneck")


def test_the_defaults_by_hand(recipe: Recipe) -> None:
    assert [str(one) for one in default_parameters(recipe, 12)] == [
        "train.learning_rate=0.00016..0.004:log",
        "module.rank=16,32,64",
        "module.layers=all,[6, 12]",
    ]


def test_own_values_are_no_trial_where_the_search_excludes_them(recipe: Recipe) -> None:
    assert current(read_parameters(["rank=4,8"], recipe), recipe) is None
    assert current(read_parameters(["learning_rate=1e-4..2e-4"], recipe), recipe) is None
    both = read_parameters(["rank=32,8", "temperature=.01...1"], recipe)
    assert current(both, recipe) == {
        "module.rank": "32", "objectives.translation_ranking.temperature": 0.05
    }  # fmt: skip


def test_suggestions_are_values_of_the_recipe(recipe: Recipe) -> None:
    texts = ["learning_rate=1e-5..1e-3:log", "rank=2..9", "layers=all,[1,3]"]
    space = read_parameters(texts, recipe)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        trial = study.ask()
        values = {one.key: one.suggest(trial) for one in space}
        made = changed_recipe(recipe, [f"{key}={value}" for key, value in values.items()])
        assert 1e-5 <= made.train.learning_rate <= 1e-3
        assert made.train.learning_rate == float(f"{made.train.learning_rate:.3g}")
        options = made.module.options()
        assert 2 <= options["rank"] <= 9 and options["layers"] in ("all", [1, 3])


def test_parameters_of_python() -> None:
    given = {"learning_rate": (1e-4, 1e-3, "log"), "rank": [4, 8], "layers": ["all", [0, 2]],
             "epochs": (1, 3)}  # fmt: skip
    assert parameter_texts(given) == [
        "learning_rate=0.0001..0.001:log", "rank=4,8", "layers=all,[0, 2]", "epochs=1..3"
    ]  # fmt: skip
    assert parameter_texts("rank=4,8") == ["rank=4,8"] == parameter_texts(["rank=4,8"])
    for bad in ({"rank": 4}, {"rank": (1,)}, {"rank": None}):
        with pytest.raises(UserError, match="is no range and no list"):
            parameter_texts(bad)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1.0e-05"), (0.05, "0.05"), (3, "3"), (True, "true"), (None, "null"), ("all", "all"),
     ([6, 12], "[6, 12]"), ("a: b", "'a: b'")],
)  # fmt: skip
def test_values_in_yaml(value: object, text: str) -> None:
    assert as_text(value) == text
