from __future__ import annotations

from pathlib import Path

import pytest

from xadapt.config.recipe import DataSpec
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.data.loading.source_options import gives_pairs, require_used

TRAIN = {"train": DataSpec()}


def source(path: str, columns: str | None = None, file_format: str | None = None) -> Source:
    return Source(path, "de", "en", columns, file_format)


def test_columns_need_columns(tmp_path: Path) -> None:
    (tmp_path / "a.en").touch()
    (tmp_path / "a.de").touch()
    for path in ("a.tsv", "a.csv", "a.jsonl", "a.tsv.gz", "hf:org/name"):
        require_used([source(path, "2,1")], TRAIN)
    for path in ("a.tmx", "a.po", "cldr", f"{tmp_path}/a"):
        with pytest.raises(UserError, match=r"--columns: .* no columns to choose from"):
            require_used([source(path, "2,1")], TRAIN)
        require_used([source(path)], TRAIN)
    require_used([source("cldr", "2,1"), source("dev.tsv", "2,1")], TRAIN)  # one makes use of them
    require_used([source("a.dat", "2,1", "tsv")], TRAIN)


@pytest.mark.parametrize("recipe", ["ner", "mlm", "qa", "open_ie_predicates"])
def test_other_records_know_neither_columns_nor_a_format(recipe: str) -> None:
    specs = load_recipe(find_recipe(recipe), []).data
    assert not any(map(gives_pairs, specs.values()))
    require_used([source("a.txt")], specs)
    for given, option in (({"columns": "2,1"}, "--columns"), ({"file_format": "tsv"}, "--format")):
        with pytest.raises(UserError, match=f"{option}: the reader"):
            require_used([source("a.txt", **given)], specs)


def test_pairs_are_known() -> None:
    assert gives_pairs(DataSpec()) and gives_pairs(DataSpec(reader="tsv"))
    assert not gives_pairs(DataSpec(reader="plain_text"))
