from __future__ import annotations

from types import SimpleNamespace

import pytest
from tiny_models import DEPTH, POSITIONS, VOCAB, tiny, tiny_encoder, tiny_folder, tiny_tokenizer

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.limits import padding_id
from xadapt.core.errors import UserError


def test_max_length_fits_the_position_table():
    assert tiny_encoder("bert").max_length == 48
    assert tiny_encoder("bert", max_position_embeddings=20).max_length == 20
    assert tiny_encoder("xlmr", max_position_embeddings=20).max_length == 19
    assert tiny_encoder("t5").max_length == 48
    encoder = tiny_encoder("xlmr", max_position_embeddings=20)
    tokens, mask = encoder.batch(encoder.tokenize(["the cat sat on " * 20]))
    assert tokens.shape[1] == 19
    assert encoder.run(encoder.embed(tokens, mask), mask).isfinite().all()
    assert tiny_encoder("bert", pooling=Pooling(max_length=10 * POSITIONS)).max_length == 48


def test_the_tokenizer_says_what_pads():
    unnamed = SimpleNamespace(pad_token_id=None)
    assert padding_id(SimpleNamespace(pad_token_id=1), SimpleNamespace(pad_token_id=7)) == 7
    assert padding_id(SimpleNamespace(pad_token_id=1), unnamed) == 1
    assert padding_id(unnamed, unnamed) == padding_id(SimpleNamespace(), unnamed) == 0


def test_a_tokenizer_beyond_the_table_is_refused_when_the_base_is_opened(tmp_path):
    folder = tiny_folder(tmp_path / "base")
    tokenizer = tiny_tokenizer()
    rows = [f"<extra {n}>" for n in range(VOCAB + 2 - len(tokenizer))]
    tokenizer.add_tokens(rows[:-2])
    tokenizer.save_pretrained(folder)
    assert Encoder.from_pretrained(str(folder)).depth == DEPTH  # a token for each row, no more
    tokenizer.add_tokens(rows)
    tokenizer.save_pretrained(folder)
    said = rf"2 tokens without a row in the table of {VOCAB} word.*'<extra \d+>' with id {VOCAB}\b"
    with pytest.raises(UserError, match=said):
        Encoder.from_pretrained(str(folder))
    with pytest.raises(UserError, match=said):
        Encoder.wrap(tiny("bert")[0], tokenizer)
