from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiny_commands import good, xadapt

from xadapt.config.recipe import TrainSpec
from xadapt.config.recipe_file import find_recipe, load_recipe, recipe_names
from xadapt.core import registry
from xadapt.core.part_source import as_yaml


@pytest.mark.parametrize(
    "name", [*(n for room in registry.ROOMS for n in registry.names(room)), *recipe_names()]
)
def test_everything_is_explained(name: str) -> None:
    assert f" {name}\n" in good("explain", name).out


def rows(out: str) -> dict[str, list[str]]:
    """Each option's name with the words after it; of equal names the last."""
    lines = [line.split() for line in out.splitlines() if re.match(r"  \S", line)]
    return {line[0]: line[1:] for line in lines if line}


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_explained_with_every_option_and_its_value(name: str) -> None:
    recipe = load_recipe(find_recipe(name))
    out = good("explain", name).out
    assert recipe.source.paper[:40] in out and recipe.source.url in out
    for what, score in recipe.source.scores.items():
        assert what == "what" or f"{what}: {score}" in out
    shown = rows(out.partition("\nTraining")[2])
    for option in TrainSpec.model_fields:
        value = getattr(recipe.train, option)
        default = TrainSpec.model_fields[option].default
        assert shown[option][0] == as_yaml(value)
        assert ("(default" in shown[option]) == (value != default)
    part = registry.load("modules", recipe.module.kind)
    given = part.Options.model_validate(recipe.module.options())
    shown = rows(out.partition("\nModule: ")[2].partition("\n\n")[0])
    assert shown.keys() >= set(part.Options.model_fields)
    for option in ("rank", "width", "experts", "alpha"):
        if hasattr(given, option):
            assert shown[option][0] == as_yaml(getattr(given, option))


def test_the_rate_of_a_recipe_and_where_to_change_it() -> None:
    out = good("explain", "translation_ranking").out
    assert "learning_rate       0.0008 (default 0.002)" in out
    assert "--set objectives.translation_ranking.OPTION=VALUE" in out
    assert "objective translation_ranking" in out  # the part of the same name


def test_a_part_is_explained_for_users() -> None:
    out = good("explain", "lora").out
    assert "model_shape" not in out and "ValueError" not in out
    assert "Rank of each update." in out and "translation_ranking" in out
    assert "https://arxiv.org/abs/2106.09685" in out


def test_a_reader_goes_by_its_format_too() -> None:
    assert "reader csv_table" in good("explain", "csv").out
    assert "reader tsv" in good("explain", "tsv").out


def test_a_recipe_of_ones_own_is_explained_and_a_faulty_one_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    text = find_recipe("mlm").read_text().replace("name: mlm", "name: own", 1)
    own.write_text(text.replace("rank: 16", "rank: 3"))
    assert rows(good("explain", own).out)["rank"][:3] == ["3", "(default", "16)"]
    own.write_text(text.replace("epochs:", "epohcs:"))
    done = xadapt("explain", own)
    assert done.code == 2 and "did you mean 'epochs'" in done.err and len(done.lines) == 1
    own.write_bytes(b"\xff")
    done = xadapt("explain", own)
    assert done.code == 2 and "UTF-8" in done.err
    assert xadapt("explain", tmp_path / "gone.yaml").code == 2


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    done = xadapt("explain", "lorra")
    assert done.code == 2 and "did you mean 'lora'" in done.err
