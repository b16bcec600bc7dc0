from __future__ import annotations

import logging
import multiprocessing
import shutil
import signal
import time

import numpy as np
import pytest
import torch
from tiny_counts import Counts
from tiny_models import FAMILIES, TEXTS, tiny_encoder
from tiny_training import module_for, shaken
from two_caches import fill

from xadapt.backbones.cache import frozen_vectors as bank
from xadapt.backbones.cache import prefix_states as room
from xadapt.backbones.cache import segments as cache_files
from xadapt.backbones.cache.prefix_states import MEMORY_BYTES, PrefixStates, shared_states
from xadapt.backbones.encoder.encode import encode
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build


def keys(encoder, texts=TEXTS):
    return [(tuple(row), None) for row in encoder.tokenize(list(texts))]


def segments(folder):
    return sorted((folder / "activations").glob("*/*.safetensors"))


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
    for path in segments(tmp_path):
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
    assert not segments(tmp_path)
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


@pytest.mark.parametrize("family", ["bert", "deberta-v3", "t5"])
def test_forwards_from_cached_states_are_those_from_tokens(family, tmp_path, monkeypatch):
    encoder = tiny_encoder(family)
    module = shaken(module_for(encoder, rank=2, layers=[2, 4]))
    adapter = ActiveAdapter(encoder, module)
    texts = [*TEXTS, TEXTS[0], TEXTS[3]]

    def three(cache=None):
        bare = encode(encoder, texts, rows=Activation(cache=cache))
        whole = encode(encoder, texts[1:], rows=Activation.of(adapter, cache=cache))

        def even(chunk):
            return Activation.of(adapter, range(0, len(chunk), 2), cache=cache)

        return bare, whole, encode(encoder, texts, rows=even)

    expected = three()
    counts = Counts(monkeypatch)
    got = three(PrefixStates(encoder, 2, tmp_path, memory=MEMORY_BYTES))
    for one, other in zip(got, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert counts.taken() == {0: len(TEXTS), 2: 3 * len(texts) - 1}
    assert not segments(tmp_path)  # it fits into memory
    assert torch.equal(three()[1], expected[1]) and 2 not in counts.taken()


def test_at_equal_shape_the_first_and_the_next_reading_are_bitwise_the_whole_way():
    encoder = tiny_encoder()
    adapter = ActiveAdapter(encoder, shaken(module_for(encoder, rank=2, layers=[2, 4])))
    expected = encode(encoder, TEXTS, rows=Activation.of(adapter))
    cached = Activation.of(adapter, cache=shared_states(encoder, adapter.first_layer))
    first, again = (encode(encoder, TEXTS, rows=cached) for _ in range(2))
    assert torch.equal(first, expected) and torch.equal(again, expected)


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "none"])
def test_below_a_module_at_the_bottom_nothing_is_kept(kind, monkeypatch):
    encoder = tiny_encoder()
    in_embeddings = {"width": 4, "layers": [3, 4], "invertible": "nice"}
    options = {"lora": {"rank": 2}, "none": {"layers": "all"}, "bottleneck": in_embeddings}[kind]
    adapter = ActiveAdapter(encoder, shaken(build(kind, options, model_shape(encoder))))
    counts = Counts(monkeypatch)
    cache = shared_states(encoder, adapter.first_layer)
    assert (cache is None) == (kind != "none")
    for _ in range(2):
        encode(encoder, TEXTS, rows=Activation.of(adapter, cache=cache))
    bottom = counts.taken()[0]
    assert bottom == (len(TEXTS) if kind == "none" else 2 * len(TEXTS))
    wrong = Activation.of(adapter, cache=shared_states(encoder, 3))
    encode(encoder, TEXTS, rows=wrong)  # a cache above where the module acts is not used
    assert counts.taken() == ({0: 7, 3: 7} if kind == "none" else {0: 7})


def test_what_is_merged_below_is_not_passed_over():
    encoder = tiny_encoder()
    de = shaken(module_for(encoder, rank=2), 1)
    both = AdaptedEncoder(
        encoder, {"de": de, "up": shaken(module_for(encoder, rank=2, layers=[2, 4]))}
    )
    with both.merged("de") as one:
        expected = one.encode(TEXTS)
    cache = shared_states(encoder, 2)
    both.with_("up").encode(TEXTS, cache=cache)
    with both.merged("de") as one:
        np.testing.assert_array_equal(one.encode(TEXTS, cache=cache), expected)


def test_memory_is_bounded_and_the_rest_lies_on_disk(tmp_path, monkeypatch):
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    sizes = [len(row) * encoder.width * 4 for row, _ in own]
    for _ in range(2):
        cache = PrefixStates(encoder, 1, tmp_path, memory=sum(sizes[:3]))
        for key in own:
            cache.entering([key])
        assert cache.bytes == sum(sizes) and cache.has(own)
        cache.flush()
        assert len(segments(tmp_path)) == 1  # written together
    assert cache.reused == len(own) - 3
    expected = PrefixStates(encoder, 1, None).entering(own)[0]
    assert torch.allclose(cache.batch(own)[0], expected, atol=1e-6)
    full = PrefixStates(encoder, 1, tmp_path, limit=sum(sizes[:3]), memory=MEMORY_BYTES)
    for key in own[:3]:
        full.entering([key])
    counts = Counts(monkeypatch)
    for _ in range(2):
        assert torch.allclose(full.entering(own)[0], expected, atol=1e-6)
    assert shared_states(encoder, 1).limit == MEMORY_BYTES  # nowhere else to go
    assert shared_states(encoder, 1, tmp_path).limit == room.LIMIT_BYTES
    assert full.bytes == full.limit and counts.taken() == {0: 2 * (len(own) - 3)}


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "gone"])
def test_a_damaged_piece_is_computed_again(tmp_path, damage):
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    first = PrefixStates(encoder, 1, tmp_path)
    first.add(own)
    expected = first.batch(own)[0].clone()
    (path,) = segments(tmp_path)
    raw = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut": raw[:-9], "empty": b"", "noise": bytes(len(raw))}[damage])
    cache = PrefixStates(encoder, 1, tmp_path)
    cache.add(own)
    assert cache.reused == 0 and torch.equal(cache.batch(own)[0], expected)
    (path,) = segments(tmp_path)
    assert len(path.read_bytes()) == len(raw) and torch.equal(first.batch(own)[0], expected)
    again = PrefixStates(encoder, 1, tmp_path)
    again.add(own)
    assert again.reused == len(own)


def test_a_folder_that_is_cleared_while_a_piece_is_written_stops_nobody(tmp_path, monkeypatch):
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    save = cache_files.save_file

    def cleared(states, path, **more):
        shutil.rmtree(tmp_path / "activations")
        save(states, path, **more)

    monkeypatch.setattr(cache_files, "save_file", cleared)
    cache = PrefixStates(encoder, 1, tmp_path)
    cache.add(own)
    assert torch.equal(cache.batch(own)[0], PrefixStates(encoder, 1, None).entering(own)[0])


def test_two_processes_add_the_same_rows_at_once_and_a_killed_one_leaves_nothing_whole(tmp_path):
    forked = multiprocessing.get_context("fork")  # which need not import all libraries again
    kinds = ("die", "fill", "fill")
    running = [forked.Process(target=fill, args=(tmp_path, kind)) for kind in kinds]
    for process in running:
        process.start()
    while len(list(tmp_path.glob("ready.*"))) < len(kinds):
        assert not any(process.exitcode for process in running)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [-signal.SIGKILL, 0, 0]
    encoder, own = tiny_encoder(), keys(tiny_encoder())
    first, second = (torch.load(path) for path in tmp_path.glob("done.*"))
    for one, other, expected in zip(
        first, second, (encode(encoder, TEXTS), PrefixStates(encoder, 2, None).entering(own)[0]),
        strict=True,
    ):  # fmt: skip
        assert torch.equal(one, other) and torch.allclose(one, expected, atol=1e-5)
    assert 2 * len(TEXTS) <= len(segments(tmp_path)) <= 4 * len(TEXTS)
    again = bank.FrozenVectors(encoder, tmp_path)
    again.add(TEXTS)  # sweeps what the killed process was writing
    assert again.reused == len(TEXTS)
    assert not list((tmp_path / "activations").glob("*/.*.safetensors.*"))
