"""Translating by a named translator, and the callable that a recipe's transforms get."""

from __future__ import annotations

import pytest

import xadapt
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.pipelines.translate import callables_of


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "t.tsv"
    file.write_text("a dog\tein Hund\n", encoding="utf-8")
    return f"file:{file}"


def test_one_text_and_several(cache):
    assert xadapt.translate("a dog", translator=cache, source="en", target="deu") == ["ein Hund"]
    assert xadapt.translate([], translator=cache, source="en", target="de") == []


def test_the_same_language_is_refused(cache):
    with pytest.raises(UserError, match="same language"):
        xadapt.translate("a dog", translator=cache, source="en", target="eng")


def test_a_translator_for_a_recipe_that_translates_nothing_is_refused(cache):
    with pytest.raises(UserError, match="translates nothing"):
        callables_of(load_recipe(find_recipe("mlm")), cache)
    assert callables_of(load_recipe(find_recipe("mlm")), None) == {}
