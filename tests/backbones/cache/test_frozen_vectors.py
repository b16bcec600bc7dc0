from __future__ import annotations

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder

from xadapt.backbones.cache import frozen_vectors as bank
from xadapt.backbones.cache import rows
from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.pooling import Pooling


@pytest.fixture
def encoder():
    return tiny_encoder()


@pytest.fixture
def counted(monkeypatch):
    """How many texts were encoded."""
    seen = []
    monkeypatch.setattr(bank, "PIECE", 3)
    real = rows.encode
    monkeypatch.setattr(
        rows, "encode", lambda e, texts, **k: (seen.extend(texts), real(e, texts, **k))[1]
    )
    return seen


def pieces(folder):
    return sorted((folder / "activations").glob("*/*.safetensors"))


def test_vectors_in_the_order_asked_for(encoder):
    frozen = FrozenVectors(encoder, None)
    assert frozen.missing([TEXTS[0], TEXTS[0], TEXTS[1]]) == 2
    frozen.add(TEXTS[:4])
    asked = [TEXTS[2], TEXTS[5], TEXTS[2], TEXTS[0]]
    assert torch.allclose(frozen.get(asked), encode(encoder, asked), atol=1e-5)
    assert frozen.get([]).shape == (0, 32) and frozen.missing(asked) == 0


def test_the_disk_is_used_again(encoder, tmp_path, counted):
    first = FrozenVectors(encoder, tmp_path)
    first.add(TEXTS)
    assert len(counted) == 7 and len(pieces(tmp_path)) == 3 and first.reused == 0
    told = []
    second = FrozenVectors(tiny_encoder(), tmp_path)
    second.add(TEXTS, told.append)
    assert len(counted) == 7 and second.reused == sum(told) == 7
    assert torch.equal(second.get(TEXTS), first.get(TEXTS))


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"pooling": Pooling(normalise=True)}, {"pooling": Pooling(prompt="q: ")}]
)
def test_another_base_or_pooling_meets_none_of_it(encoder, tmp_path, counted, other):
    FrozenVectors(encoder, tmp_path).add(TEXTS[:3])
    twin = tiny_encoder(**other)
    assert torch.allclose(FrozenVectors(twin, tmp_path).get(TEXTS[:3]), encode(twin, TEXTS[:3]))
    assert len(counted) == 6


def test_a_cache_that_cannot_be_written_is_told_of_and_done_without(
    encoder, tmp_path, counted, caplog
):
    (tmp_path / "activations").write_text("a file stands where the folder should")
    frozen = FrozenVectors(encoder, tmp_path)
    frozen.add(TEXTS)
    assert torch.allclose(frozen.get(TEXTS), encode(encoder, TEXTS), atol=1e-5)
    assert len(counted) == 7 and [r.levelname for r in caplog.records] == ["WARNING"]
    assert "not kept" in caplog.text


def test_killed_in_the_middle_it_goes_on_there(encoder, tmp_path, counted):
    def stop(count):
        if len(counted) > 3:
            raise KeyboardInterrupt

    frozen = FrozenVectors(encoder, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        frozen.add(TEXTS, stop)
    assert len(pieces(tmp_path)) == 1 and frozen.missing(TEXTS) == 4
    counted.clear()
    again = FrozenVectors(encoder, tmp_path)
    again.add(TEXTS)
    assert counted == list(TEXTS[3:])
    assert torch.allclose(again.get(TEXTS), encode(encoder, TEXTS), atol=1e-5)


def test_a_text_in_front_and_another_order_lose_nothing(encoder, tmp_path):
    texts = [f"cat {number} dog" for number in range(300)]
    first = FrozenVectors(encoder, tmp_path)
    first.add(texts)
    for others in (["one more", *texts], texts[::-1], [*texts, *texts]):
        again = FrozenVectors(encoder, tmp_path)
        again.add(others)
        assert again.reused == 300
        assert torch.equal(again.get(texts), first.get(texts))


def test_what_comes_after_the_seal_depends_on_the_call_alone(encoder, counted):
    frozen = FrozenVectors(encoder, None)
    frozen.add(TEXTS[:3])
    frozen.seal()
    alone = frozen.fixed([TEXTS[1], TEXTS[5]])
    frozen.add([TEXTS[5], TEXTS[6]])
    counted.clear()
    assert torch.equal(frozen.fixed([TEXTS[1], TEXTS[5]]), alone)
    assert counted == [TEXTS[5]]
    assert torch.equal(frozen.fixed([TEXTS[2]]), frozen.get([TEXTS[2]])) and len(counted) == 1
