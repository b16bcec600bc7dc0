from __future__ import annotations

import logging

import pytest
import torch
from tiny_models import FAMILIES, TEXTS, tiny_encoder

from xadapt.backbones import prefix as room
from xadapt.backbones.prefix import PrefixStates


def keys(encoder, texts=TEXTS):
    return [(tuple(row), None) for row in encoder.tokenize(list(texts))]


def whole(encoder, rows, second=None):
    tokens, mask = encoder.batch(rows)
    return encoder.run(encoder.embed(tokens, mask, second), mask), mask


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rest_of_the_way_from_the_cache_is_the_whole_way(family, tmp_path):
    encoder = tiny_encoder(family)
    own = keys(encoder)
    for start in (1, 3):
        cache = PrefixStates(encoder, start, tmp_path)
        cache.add(own)
        hidden, mask = cache.batch(own)
        got = encoder.run(hidden, mask, start)
        expected, _ = whole(encoder, [row for row, _ in own])
        real = mask.bool()
        assert torch.allclose(got[real], expected[real], atol=1e-5)


def test_pairs_keep_their_segments(tmp_path):
    encoder = tiny_encoder("bert")
    own = [(row, 3) for row, _ in keys(encoder)[:3]]
    cache = PrefixStates(encoder, 2, tmp_path)
    cache.add(own + keys(encoder))
    hidden, mask = cache.batch(own)
    rows, second = [list(row) for row, _ in own], [begin for _, begin in own]
    real = mask.bool()
    expected, plain = (whole(encoder, rows, begins)[0][real] for begins in (second, None))
    assert torch.allclose(encoder.run(hidden, mask, 2)[real], expected, atol=1e-5)
    assert not torch.allclose(plain, expected, atol=1e-3)


def test_pieces_are_met_again_and_only_by_what_they_depend_on(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PIECE", 3)
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    first = PrefixStates(encoder, 1, tmp_path)
    first.add(own)
    assert first.reused == 0
    again = PrefixStates(encoder, 1, tmp_path)
    again.add(own)
    assert again.reused == len(own)
    assert torch.equal(first.batch(own)[0], again.batch(own)[0])
    for other, start in ((encoder, 2), (tiny_encoder(seed=5), 1)):
        cache = PrefixStates(other, start, tmp_path)
        cache.add(own)
        assert cache.reused == 0
    for path in sorted((tmp_path / "prefix").glob("*.safetensors")):
        path.unlink()  # the open caches have it mapped
        path.write_bytes(b"x")
    mended = PrefixStates(encoder, 1, tmp_path)
    mended.add(own)
    assert mended.reused == 0 and torch.equal(mended.batch(own)[0], first.batch(own)[0])


def test_what_would_take_too_much_is_not_kept(tmp_path, caplog):
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    size = sum(len(row) for row, _ in own) * encoder.width * 4
    with caplog.at_level(logging.WARNING):
        small = PrefixStates(encoder, 1, tmp_path, limit=size - 1)
        small.add(own)
    assert not small.has(own[:1]) and "too much" in caplog.text
    assert not (tmp_path / "prefix").exists()
    fits = PrefixStates(encoder, 1, tmp_path, limit=size)
    fits.add(own)
    assert fits.has(own) and not fits.has([((1, 2, 3), None)])


def test_without_a_folder_or_where_it_cannot_be_written_memory_does(tmp_path):
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    (tmp_path / "file").write_text("no folder")
    for folder in (None, tmp_path / "file"):
        cache = PrefixStates(encoder, 1, folder)
        cache.add(own)
        assert cache.has(own) and cache.batch(own)[0].abs().sum() > 0
