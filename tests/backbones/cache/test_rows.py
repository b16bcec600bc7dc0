from __future__ import annotations

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder

from xadapt.backbones.cache.rows import TextRows, TokenRows
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.pooling import Pooling


def test_distinct_rows_have_distinct_bytes() -> None:
    rows = TokenRows(tiny_encoder(), 1)
    own = [((), None), ((-1,), None), ((1,), None), ((1,), 0), ((1,), 1), ((0, 1), None),
           ((1, 0), None), ((256,), None), ((1, 2), 3), ((2,), 3), ((3, 1, 2), None)]  # fmt: skip
    assert len({rows.encoded(row) for row in own}) == len(own)
    texts = ["", " ", "a", "a ", "ä", "a\u0308", "\ud800", "\x00"]
    assert len({TextRows(tiny_encoder()).encoded(text) for text in texts}) == len(texts)


def test_a_space_is_of_all_that_states_depend_on() -> None:
    encoders = {
        "plain": tiny_encoder(),
        "other weights": tiny_encoder(seed=1),
        "prompt": tiny_encoder(pooling=Pooling(prompt="query: ")),
        "shorter": tiny_encoder(pooling=Pooling(max_length=8)),
        "normal": tiny_encoder(pooling=Pooling(normalise=True)),
    }
    half = tiny_encoder()
    _ = half.fingerprint  # that of the stored weights
    half.model.to(torch.bfloat16)
    spaces = [TextRows(e).space() for e in (*encoders.values(), half)]
    assert len(set(spaces)) == len(spaces) and {len(space) for space in spaces} == {16}
    assert TextRows(tiny_encoder()).space() == spaces[0]
    layers = [TokenRows(e, n).space() for e in (*list(encoders.values())[:2], half) for n in (1, 2)]
    assert len({*layers, *spaces}) == len(layers) + len(spaces)
    # token ids say themselves what was cut and what was put in front
    assert TokenRows(encoders["prompt"], 1).space() == TokenRows(encoders["plain"], 1).space()


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_states_are_those_of_the_whole_way_without_padding(family: str) -> None:
    encoder = tiny_encoder(family)
    ids = [tuple(row) for row in encoder.tokenize(TEXTS)]
    own = [(row, 3 if number % 2 else None) for number, row in enumerate(ids)]
    rows, told = TokenRows(encoder, 2), []
    states = rows.compute(own, told.append)
    assert told == [len(own)] and len(states) == rows.lengths(own).sum()
    for (row, second), part in zip(own, states.split([len(row) for row in ids]), strict=True):
        tokens, mask = encoder.batch([row])
        begins = None if second is None else [second]
        whole = encoder.run(encoder.embed(tokens, mask, begins), mask, 0, 2)[0]
        assert torch.allclose(part, whole, atol=1e-5)


def test_texts_have_one_vector_each() -> None:
    encoder, told = tiny_encoder(), []
    rows = TextRows(encoder)
    found = rows.compute(list(TEXTS), told.append)
    assert torch.equal(found, encode(encoder, TEXTS)) and sum(told) == len(TEXTS)
    assert (rows.width, rows.dtype) == (32, torch.float32) and rows.lengths(TEXTS).tolist() == [
        1
    ] * 7
