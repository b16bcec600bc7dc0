from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.config.recipe_file import check_recipe, find_recipe, load_recipe, recipe_names
from xadapt.core.errors import UserError

GOOD = """\
name: x
source: {paper: p, url: "https://example.org"}
module:
  kind: lora
  rank: 4
objectives:
  - name: translation_ranking
    temperature: 0.05
  - name: distillation
    side: pivot
    share: 0.25
data:
  train:
    reader: parallel
train:
  epochs: 1
"""


@pytest.fixture
def recipe(tmp_path):
    def write(text=GOOD, *settings):
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, settings)

    return write


def fault(write, text, *settings):
    with pytest.raises(UserError) as caught:
        write(text, *settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_recipe(recipe):
    loaded = recipe()
    assert loaded.objectives[1].share == 0.25 and loaded.module.options() == {"rank": 4}


def test_all_faults_at_once_each_with_its_line(recipe):
    bad = (
        GOOD.replace("rank: 4", "rang: 4")
        .replace("temperature: 0.05", "temprature: 0.05")
        .replace("name: distillation", "name: destillation")
        .replace("epochs: 1", "epochs: none\n  bach_size: 3")
        .replace("source:", "sorce:")
    )
    said = fault(recipe, bad)
    for part in (
        "line 2: unknown key 'sorce'; did you mean 'source'?",
        "source: field required",
        "line 5: unknown key 'rang'; did you mean 'rank'?",
        "line 8: unknown key 'temprature'; did you mean 'temperature'?",
        "line 9: unknown objective 'destillation'; did you mean 'distillation'?",
        "line 16: train.epochs: input should be a valid integer",
        "line 17: unknown key 'bach_size'; did you mean 'batch_size'?",
    ):
        assert part in said
    assert said.count("; line") + said.count(": line") >= 6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: lora", "kind: lorra", "line 4: unknown module 'lorra'; did you mean 'lora'?"),
        ("reader: parallel", "reader: paralel", "line 14: unknown reader 'paralel'; did you mean"),
        ("share: 0.25", "share: 2", "line 11: objectives.1.share: input should be less"),
        ("share: 0.25", "data: tran", "line 11: unknown data 'tran'; did you mean 'train'?"),
        ("temperature: 0.05", "temperature: -1", "temperature must be above 0"),
        ("temperature: 0.05", "weight: 0", "line 8: objectives.0.weight: "),
        ("rank: 4", "rank: 4\n  rank_pattern: {z: 2}", "rank_pattern and alpha_pattern name 'z'"),
        ("module:\n  kind: lora\n  rank: 4", "module: lora", "line 3: module: "),
        ("  - name: distillation", "  - nam: distillation", "objectives.1.name: field required"),
    ],
)
def test_faults(recipe, old, new, said):
    assert said in fault(recipe, GOOD.replace(old, new))


def test_settings_by_key_number_and_name(recipe):
    loaded = recipe(
        GOOD,
        "train.learning_rate=2e-3",
        "objectives.0.temperature=0.1",
        "objectives.distillation.share=1",
        "module.sites=[q, v]",
        "base=org/name",
        "seed=7",
        "train.evaluations=3",
    )
    assert loaded.train.learning_rate == 0.002 and loaded.base == "org/name" and loaded.seed == 7
    assert loaded.objectives[0].build().temperature == 0.1 and loaded.objectives[1].share == 1
    assert loaded.module.options()["sites"] == ["q", "v"] and loaded.train.evaluations == 3
    assert recipe(GOOD.replace("train:\n  epochs: 1", "train:"), "train.epochs=3").train.epochs == 3


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("epochs", "--set wants key=value"),
        ("=3", "--set wants key=value"),
        ("train..epochs=3", "--set wants key=value"),
        ("objectives.5.share=1", "there is no '5'"),
        ("objectives.mlm.share=1", "there is no 'mlm'"),
        ("name.x=1", "name holds no keys"),
        ("name.x.y=1", "there is no 'x'"),
        ("objectives.x=1", "objectives holds no keys"),
        ("train.epochs=[", "the value is not YAML"),
        ("train={epochs: 1, epochs: 2}", "the key 'epochs' stands twice"),
        ("name=[&a [x], *a]", "can't use YAML aliases"),
        ("train.epochs=0", "--set train.epochs: train.epochs: input should be greater than 0"),
        ("train.epoch=1", "--set train.epoch: unknown key 'epoch'; did you mean 'epochs'?"),
        ("module.kind=3", "module.kind: input should be a valid string"),
    ],
)
def test_wrong_settings(recipe, setting, said):
    assert said in fault(recipe, GOOD, setting)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "not YAML"),
        ("a: b: c", "r.yaml:1: not YAML"),
        ("name: x\n\tb: 1", "r.yaml:2: not YAML"),
        ("- 1", "a mapping of keys"),
        ("", "a mapping of keys"),
        ("a: 2001-99-99", "not right"),
        ("a: !!python/object:os.system x", "not YAML"),
        ("[" * 1500, "not"),
        ("a: &x [1]\nb: *x", "r.yaml:2: a recipe can't use YAML aliases"),
        ("a: &x [*x]", "aliases"),
        ("? [a]\n: b", "not YAML"),
        ("\x00", "not YAML"),
        ("1: 2", "name: field required"),
        ("name: x\nseed: 1\nname: x", "r.yaml:3: the key 'name' stands twice"),
        ("train:\n  epochs: 1\n  epochs: 2", "r.yaml:3: the key 'epochs' stands twice"),
        ("a: [1, 2]\n" * 2_000_000, "larger than 64 KiB"),
    ],
)
def test_bad_yaml_is_one_line(recipe, text, said):
    assert said in fault(recipe, text)


def test_unreadable_files(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: ä".encode("latin-1"))
    for name, said in (
        ("latin.yaml", "not UTF-8"),
        ("absent.yaml", "can't read"),
        ("", "can't read"),
    ):
        with pytest.raises(UserError, match=said):
            load_recipe(tmp_path / name)


def test_shipped_recipes_by_name_and_file(tmp_path):
    assert {"translation_ranking", "translation_ranking_bottleneck", "mlm"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(find_recipe(name)).name == name == find_recipe(f"{name}.yaml").stem
    own = tmp_path / "own.yaml"
    own.write_text(GOOD)
    assert find_recipe(own) == find_recipe(str(own)) == own
    with pytest.raises(UserError, match="did you mean 'translation_ranking'"):
        find_recipe("translation_rankin")
    with pytest.raises(UserError, match="no such recipe"):
        find_recipe("elsewhere/mlm.yaml")


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_of_a_recipe_gives_a_recipe_or_a_user_error(data):
    raw = yaml.safe_load(GOOD)
    place = raw
    for _ in range(data.draw(st.integers(0, 3))):
        inner = list(place.values()) if isinstance(place, dict) else list(place)
        inner = [v for v in inner if isinstance(v, dict | list) and v]
        place = data.draw(st.sampled_from(inner)) if inner else place
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = (
        data.draw(st.sampled_from(keys) | st.text(max_size=8))
        if isinstance(place, dict)
        else keys[0]
    )
    place[key] = data.draw(VALUES)
    try:
        check_recipe(raw)
    except UserError as error:
        assert str(error).strip()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(alphabet=" \n-:[]{}&*?!|>'\"#%@`ab1.,~<=", max_size=40), where=st.integers(0, 300)
)
def test_any_text_in_a_recipe_is_a_recipe_or_a_user_error(tmp_path, text, where):
    path = Path(tmp_path) / "f.yaml"
    at = where % len(GOOD)
    path.write_text(GOOD[:at] + text + GOOD[at:], encoding="utf-8")
    for changes in ((), (text,)):
        try:
            load_recipe(path, changes)
        except UserError as error:
            assert "\n" not in str(error)
