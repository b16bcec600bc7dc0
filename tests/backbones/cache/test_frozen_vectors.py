from __future__ import annotations

import os
import time

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder

from xadapt.backbones.cache import frozen_vectors as bank
from xadapt.backbones.cache.frozen_vectors import FrozenVectors, cache_folder, trim
from xadapt.backbones.cache.prefix_states import PrefixStates
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
    real = bank.encode
    monkeypatch.setattr(
        bank, "encode", lambda e, texts, **k: (seen.extend(texts), real(e, texts, **k))[1]
    )
    return seen


def pieces(folder):
    return sorted((folder / "vectors").glob("*.safetensors"))


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
    (tmp_path / "vectors").write_text("a file stands where the folder should")
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
    assert len(pieces(tmp_path)) == 1 and frozen.missing(TEXTS) == 7
    counted.clear()
    again = FrozenVectors(encoder, tmp_path)
    again.add(TEXTS)
    assert counted == list(TEXTS[3:])
    assert torch.allclose(again.get(TEXTS), encode(encoder, TEXTS), atol=1e-5)


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "short"])
def test_a_damaged_piece_is_made_again(encoder, tmp_path, counted, damage):
    FrozenVectors(encoder, tmp_path).add(TEXTS[:3])
    (path,) = pieces(tmp_path)
    raw = path.read_bytes()
    if damage == "short":
        bank.save_file({"vectors": torch.zeros(2, 32)}, str(path))
    else:
        path.write_bytes({"cut": raw[:-9], "empty": b"", "noise": os.urandom(len(raw))}[damage])
    frozen = FrozenVectors(encoder, tmp_path)
    assert torch.allclose(frozen.get(TEXTS[:3]), encode(encoder, TEXTS[:3]))
    assert len(counted) == 6 and frozen.reused == 0
    assert len(path.read_bytes()) == len(raw)


def test_the_folder_is_bounded_and_the_oldest_go_first(tmp_path):
    now = time.time()
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(b"x" * 100)
        os.utime(path, (now - number, now - number))
    stale, fresh = tmp_path / ".a.safetensors.x", tmp_path / ".b.safetensors.x"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (now - 2 * bank.DAY,) * 2)
    trim(tmp_path, limit=250)
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
        "0.safetensors",
        "1.safetensors",
    ]
    assert fresh.exists() and not stale.exists()


def test_parts_are_counted_and_cleared_under_a_reader(encoder, tmp_path, counted):
    frozen = FrozenVectors(encoder, tmp_path)
    frozen.add(TEXTS)
    states = PrefixStates(encoder, 1, tmp_path)
    keys = [(tuple(row), None) for row in encoder.tokenize(TEXTS)]
    states.add(keys)
    before = frozen.get(TEXTS), states.batch(keys)[0].clone()
    (tmp_path / "prefix" / ".a.safetensors.x").write_bytes(b"being written")
    (tmp_path / "mine").write_text("kept")
    found = {part.name: part for part in bank.parts(tmp_path)}
    assert [(p.files, p.folder.name) for p in found.values()] == [(3, "vectors"), (1, "prefix")]
    for part in found.values():
        assert part.bytes == sum(p.stat().st_size for p in part.folder.glob("*.safetensors"))
    bank.clear(tmp_path)
    assert [(part.files, part.bytes) for part in bank.parts(tmp_path)] == [(0, 0)] * 2
    assert (tmp_path / "prefix" / ".a.safetensors.x").exists() and (tmp_path / "mine").exists()
    assert torch.equal(frozen.get(TEXTS), before[0])
    assert torch.equal(states.batch(keys)[0], before[1])
    frozen.add(["one more"])
    assert len(pieces(tmp_path)) == 1
    bank.clear(tmp_path / "nowhere")
    assert [part.files for part in bank.parts(tmp_path / "nowhere")] == [0, 0]


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


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("XADAPT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "xadapt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "xadapt"
