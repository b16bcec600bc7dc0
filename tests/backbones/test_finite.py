from __future__ import annotations

import pytest
import torch
from tiny_folders import random_module
from tiny_models import MANY, tiny_encoder

from xadapt.backbones.encoder.encode import encode, token_states
from xadapt.backbones.finite import (
    NotFiniteError,
    by_owner,
    naming,
    require_finite,
    require_finite_states,
)
from xadapt.composition.values import Mix, Stack
from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder

BAD = (float("nan"), float("inf"), -float("inf"))


@pytest.mark.parametrize("bad", BAD)
def test_the_rows_that_are_not_finite_are_named(bad: float) -> None:
    values = torch.ones(4, 3)
    require_finite(values, [7, 5, 3, 1])
    require_finite(values[:0], [])
    values[1, 2] = values[3, 0] = bad
    with pytest.raises(NotFiniteError, match="the scores of row 2 and 1 more are not") as caught:
        require_finite(values, [7, 5, 3, 1], "scores")
    assert caught.value.rows == [1, 5]


@pytest.mark.parametrize("bad", BAD)
def test_states_of_padding_do_not_count(bad: float) -> None:
    states = torch.ones(2, 3, 4)
    states[0, 2, 1] = bad
    require_finite_states(states, [4, 9], [2, 3])
    with pytest.raises(NotFiniteError, match="the states of row 5 are"):
        require_finite_states(states, [4, 9], [3, 3])


def test_the_innermost_name_stays_and_windows_become_their_owners() -> None:
    said = pytest.raises(UserError, match=r"^a: the vectors of row 2 are")
    with said as caught, naming("b"), naming("a"), by_owner([4, 1, 1]):
        require_finite(torch.full((2, 1), torch.nan), [1, 2])
    assert caught.value.rows == [1]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def adapted() -> AdaptedEncoder:
    encoder = tiny_encoder()
    huge = random_module(encoder, "lora", rank=2)
    with torch.no_grad():
        for value in huge.parameters():
            value.mul_(1e30)
    plain = random_module(encoder, "lora", rank=2, seed=3)
    return AdaptedEncoder(encoder, {"de": huge, "sw": plain})


def test_vectors_that_are_not_finite_are_an_error_that_names_the_module(
    adapted: AdaptedEncoder,
) -> None:
    texts = MANY[:4]
    adapted.encode(texts, ["sw", None, "sw", None])
    with pytest.raises(UserError, match=r"^de: the vectors of row 2 and 1 more are not finite"):
        adapted.encode(texts, ["sw", "de", None, "de"])
    with pytest.raises(UserError, match=r"^sw \+ de: the vectors"):
        adapted.encode(texts, compositions=[None, Stack("sw", "de"), "sw", None])


@pytest.mark.parametrize("weight", [1e38, 1e308, -1e308])
def test_weights_that_are_too_large_are_named(adapted: AdaptedEncoder, weight: float) -> None:
    heavy = adapted.with_(Mix({"sw": weight}))
    with pytest.raises(UserError, match=r"^mix\(sw:-?1e\+3.*\): the vectors of row "):
        heavy.encode(MANY)
    with pytest.raises(UserError, match=r"^mix\(sw"), heavy.merged() as merged:
        merged.encode(MANY)


def test_states_given_to_heads_are_checked(adapted: AdaptedEncoder) -> None:
    encoder = adapted.encoder
    ids = encoder.tokenize(MANY)
    assert sum(len(chunk) for chunk, _ in token_states(encoder, ids)) == len(MANY)
    acting = adapted.activations(len(ids), ["de"] * len(ids))
    with pytest.raises(UserError, match=r"^de: the states"), acting.named(), torch.no_grad():
        list(token_states(encoder, ids, rows=acting))


def test_the_bare_base_is_bitwise_what_it_was(adapted: AdaptedEncoder) -> None:
    bare = encode(adapted.encoder, MANY)
    assert bare.isfinite().all() and torch.equal(bare, encode(adapted.encoder, MANY))
