from __future__ import annotations

from types import SimpleNamespace

from tiny_models import POSITIONS, tiny_encoder

from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.limits import padding_id


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
