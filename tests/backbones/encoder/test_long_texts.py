from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch
from tiny_models import tiny_encoder

from xadapt.backbones.encoder.encode import encode, pooled
from xadapt.backbones.encoder.long_texts import (
    CutCount,
    counting_cut,
    tell_cut,
    text_windows,
)
from xadapt.backbones.encoder.windows import CutNotice, bounds

ENCODER = tiny_encoder()
LONG = "die katze sitzt auf der matte " * 20
TEXTS = ["ein hund", LONG, "", "paka ameketi kwenye mkeka", LONG + "mbwa"]


@pytest.mark.parametrize("prompt", ["", "query: "])
def test_windows_are_the_slices_of_the_whole_row(prompt):
    encoder = ENCODER.adjusted(prompt=prompt)
    limit = encoder.max_length
    windows = text_windows(encoder, TEXTS, encoder.tokenize(TEXTS))
    assert sorted({one.owner for one in windows}) == [0, 1, 2, 3, 4]
    for owner, text in enumerate(TEXTS):
        own = [list(one.ids) for one in windows if one.owner == owner]
        assert all(len(ids) <= limit for ids in own)
        first, *inner, last = encoder.tokenizer(prompt + text)["input_ids"]
        ask = inner[:1] if prompt else []  # its space belongs to the word after it
        if len(inner) + 2 <= limit:
            assert own == [[first, *inner, last]]
            continue
        body, room = inner[len(ask) :], limit - 2 - len(ask)
        assert own == [
            [first, *ask, *body[a:b], last] for a, b in bounds([1] * len(body), room, room // 4)
        ]
        assert own[0] == encoder.tokenize([text])[0]  # as when it is cut


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("normalise", [False, True])
def test_vectors_are_those_of_the_windows_combined(how, normalise):
    encoder = ENCODER.adjusted(windows=how)
    encoder.pooling = replace(ENCODER.pooling, normalise=normalise)
    done: list[int] = []
    found = encode(encoder, TEXTS, progress=done.append, batch_size=2)
    assert sum(done) == len(TEXTS)
    windows = text_windows(encoder, TEXTS, encoder.tokenize(TEXTS))
    for owner in range(len(TEXTS)):
        own = torch.cat([pooled(encoder, [one.ids]) for one in windows if one.owner == owner])
        one = own.mean(0) if how == "mean" else own.amax(0)
        one = one / one.norm() if normalise and len(own) > 1 else one
        assert torch.allclose(found[owner], one, atol=1e-5)


def test_a_text_in_one_window_has_the_same_vector_bit_for_bit():
    with pytest.warns(CutNotice):
        first = encode(ENCODER, TEXTS)
    for how in ("mean", "max"):
        found = encode(ENCODER.adjusted(windows=how), TEXTS)
        assert torch.equal(found[[0, 2, 3]], first[[0, 2, 3]])
        assert not torch.allclose(found[1], first[1], atol=1e-4)
    short = [text for text in TEXTS if text is not LONG][:3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(encode(ENCODER, short), encode(ENCODER.adjusted(windows="max"), short))


def test_cut_texts_are_counted_in_one_line():
    exact = "katze " * 60
    while len(ENCODER.tokenizer(exact)["input_ids"]) > ENCODER.max_length:
        exact = exact.rsplit(" ", 2)[0] + " "
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tell_cut(ENCODER, ["ein hund", exact, ""]) == 0 == tell_cut(ENCODER, [])
    with pytest.warns(CutNotice, match="2 of 5 texts are longer than the 48 tokens") as told:
        encode(ENCODER, TEXTS)
    assert len(told) == 1
    count = CutCount()
    with warnings.catch_warnings(), counting_cut(count):
        warnings.simplefilter("error")
        encode(ENCODER, TEXTS)
        encode(ENCODER, TEXTS[:2])
    assert count == CutCount(3, 7)
