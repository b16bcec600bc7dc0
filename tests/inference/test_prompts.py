from __future__ import annotations

import pytest
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.manifest import Manifest
from xadapt.inference.prompts import agreed_prompts, choose_prompt, prompts_of


def known(**prompts: dict[str, str]) -> dict[str, Manifest]:
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora", rank=2)
    return {
        name: manifest_of(encoder.adjusted(prompts=own), module) for name, own in prompts.items()
    }


def test_prompts_of_modules_win_over_the_bases() -> None:
    base, own = {"query": "q: "}, {"query": "Q: ", "passage": "P: "}
    assert prompts_of(base, {}) == agreed_prompts(base, {}) == base
    assert prompts_of(base, known(a=own, b=own)) == agreed_prompts(base, known(a=own)) == own


def test_modules_that_differ_are_refused_or_left_to_the_base() -> None:
    both = known(a={"query": "Q: "}, b={})
    with pytest.raises(UserError, match="'a' and 'b' were trained with different prompts"):
        prompts_of({}, both)
    assert agreed_prompts({"x": "y"}, both) == {"x": "y"}


def test_a_manifest_without_prompts_has_those_of_the_base() -> None:
    [one] = known(a={}).values()
    old = one.model_copy(update={"pooling": {}})
    assert prompts_of({"query": "q: "}, {"a": old}) == {"query": "q: "}


def test_the_prompt_of_a_call() -> None:
    prompts = {"query": "q: "}
    assert choose_prompt(prompts, None, None) is None
    assert choose_prompt(prompts, "query", None) == "q: "
    assert choose_prompt(prompts, "query", "mine ") == "mine "
    with pytest.raises(UserError, match="did you mean 'query'"):
        choose_prompt(prompts, "qurey", None)
    with pytest.raises(UserError, match="has none"):
        choose_prompt({}, "query", None)
