from __future__ import annotations

import random

import pytest
from tiny_models import TEXTS, tiny_encoder

from xadapt.training import tokenized as room
from xadapt.training.tokenized import Tokenized


def test_texts_are_tokenised_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder()
    own = Tokenized(encoder, show=False)
    seen: list[str] = []
    tokenize = encoder.tokenize
    monkeypatch.setattr(encoder, "tokenize", lambda t: (seen.extend(t), tokenize(t))[1])
    monkeypatch.setattr(room, "PIECE", 2)
    rng = random.Random(0)
    for _ in range(5):
        texts = [rng.choice(TEXTS) for _ in range(6)]
        assert own.tokenize(texts) == [tuple(row) for row in tokenize(texts)]
    assert len(seen) == len(set(seen)) <= len(TEXTS)


def test_words_are_tokenised_once_and_every_way_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Tokenized(tiny_encoder())
    first = own.tokenize_words([["the", "cat"], ["the", "cat"]])
    assert first[0] is first[1] is own.tokenize_words([("the", "cat")])[0]
    long = ["the", "cat"] * 60
    windows = own.tokenize_word_windows([["the"], long, ["the"], long])
    assert [one.owner for one in windows] == [0, 1, 1, 1, 1, 2, 3, 3, 3, 3]
    assert [one.ids for one in windows[1:5]] == [one.ids for one in windows[6:]]
    assert own.tokenizers.keys() == {
        "tokenize", "tokenize_words", "tokenize_word_windows", "tokenize_pairs", "tokenize_windows",
        "tokenize_places",
    }  # fmt: skip
