from __future__ import annotations

import pytest

from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.encoder.prompts import (
    first_of,
    prefixed,
    require_side_prompts,
    side_prompts,
    with_prompts,
)
from xadapt.core.errors import UserError


def test_sides_are_chosen_by_the_usual_names():
    assert side_prompts(Pooling()) == {}
    pooling = Pooling(prompts={"query": "q: ", "corpus": "c: ", "passage": "p: "})
    assert side_prompts(pooling) == {"query": "q: ", "passage": "p: "}
    assert side_prompts(Pooling(prompts={"query": "q: ", "sts": "s: "})) == {"query": "q: "}
    assert first_of(("a", "b"), {"b": ""}) == "b" and first_of(("a",), {}) is None


def test_a_default_prompt_leaves_no_room_for_sides():
    default = Pooling(prompt="x: ", prompts={"query": "q: "})
    apart = Pooling(include_prompt=False, prompts={"query": "q: "})
    for pooling, said in ((default, "default prompt 'x: '"), (apart, "out of its pooling")):
        assert side_prompts(pooling) == {}
        with pytest.raises(UserError, match=said):
            require_side_prompts(pooling, "base")
    require_side_prompts(Pooling(prompts={"query": "q: "}), "base")


def test_a_new_prompt_of_passages_replaces_the_bases_own():
    pooling = Pooling(prompts={"query": "q: ", "document": "d: ", "sts": "s: "})
    found = with_prompts(pooling, {"passage": "p: "}).prompts
    assert found == {"query": "q: ", "sts": "s: ", "passage": "p: "}
    assert with_prompts(pooling, {"query": "new "}).prompts["document"] == "d: "


def test_texts_get_the_prompt_of_their_side():
    assert prefixed({"query": "q: "}, "query", ["a", "b"]) == ["q: a", "q: b"]
    assert prefixed({"query": "q: "}, "passage", ["a"]) == prefixed({}, "query", ["a"]) == ["a"]
