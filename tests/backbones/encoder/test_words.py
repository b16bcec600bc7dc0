from __future__ import annotations

import pytest
from tiny_models import tiny_encoder

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError

ENCODER = tiny_encoder()


def test_first_tokens_of_words():
    words = ["katze", "xyzzyxq", "hund"]
    (row,) = tokenize_words(ENCODER, [words])
    (whole,) = ENCODER.tokenize([" ".join(words)])
    assert list(row.ids) == whole
    pieces = [ENCODER.tokenizer.tokenize(word) for word in words]
    starts = [1, 1 + len(pieces[0]), 1 + len(pieces[0]) + len(pieces[1])]
    assert list(row.first) == starts and row.known == [0, 1, 2]
    for word, at in zip(pieces, starts, strict=True):
        assert ENCODER.tokenizer.convert_ids_to_tokens(row.ids[at]) == word[0]


def test_words_that_are_cut_off_or_empty_have_no_token():
    (row,) = tokenize_words(ENCODER, [["katze"] * (ENCODER.max_length + 9)])
    assert len(row.ids) == ENCODER.max_length
    assert row.known == list(range(ENCODER.max_length - 2)) and row.first[-1] is None
    (row,) = tokenize_words(ENCODER, [["katze", "\u200d", "hund"]])
    assert row.first[0] == 1 and row.first[2] is not None
    assert tokenize_words(ENCODER, []) == []


def test_a_slow_tokenizer_is_refused(monkeypatch):
    class Slow:
        is_fast = False

    monkeypatch.setattr(ENCODER, "tokenizer", Slow())
    with pytest.raises(UserError, match="which word a token is of"):
        tokenize_words(ENCODER, [["a"]])
