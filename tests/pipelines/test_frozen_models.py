from __future__ import annotations

import pytest
from tiny_commands import Place

from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import changed_recipe, find_recipe
from xadapt.core.errors import UserError
from xadapt.pipelines.frozen_models import load_base, open_teacher


def recipe(*settings: str) -> Recipe:
    return changed_recipe(find_recipe("sentence_pairs"), ["dtype=float32", *settings])


def test_the_base_is_as_the_recipe_says(place: Place) -> None:
    plain = load_base(recipe(), str(place.base))
    assert plain.pooling.prompts == plain.base_prompts == {}
    made = load_base(recipe("prompts.query=query: ", "max_length=16"), str(place.base))
    assert made.pooling.prompts == {"query": "query: "} and made.base_prompts == {}
    assert made.max_length == 16 and made.fingerprint == plain.fingerprint
    with pytest.raises(UserError, match="takes at most"):
        load_base(recipe("max_length=1000"), str(place.base))


def test_a_teacher_is_loaded_if_one_is_named(place: Place) -> None:
    assert open_teacher(recipe()) is None
    found = open_teacher(recipe(f"teacher={place.base}"))
    assert found is not None and found.width == 32
