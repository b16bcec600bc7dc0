from __future__ import annotations

import logging
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from numbered_rows import Numbered, flip
from tiny_models import TEXTS, tiny_encoder

from xadapt.backbones.cache.activations import ActivationCache
from xadapt.backbones.encoder.encode import encode

ENCODER = tiny_encoder()


def on_a_full_disk(folder: Path) -> None:
    """Keep rows of which one fits into a file, and tell whether all came back."""
    logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    cache = ActivationCache(ENCODER, Numbered(width=256), folder)
    cache.piece_rows = 3
    cache.add([1])
    cache.add(range(100))
    print(len(cache), all(float(cache.row(n)[0, 0]) == n for n in range(100)))


def cache_of(rows: Numbered, folder: Path | None, **more: int) -> ActivationCache[int]:
    made = ActivationCache(ENCODER, rows, folder, **more)
    made.piece_rows = 10
    return made


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "activations").glob("*/*.safetensors"))


def holds(cache: ActivationCache[int], rows: list[int], shift: float = 0.0) -> bool:
    states = cache.gather(rows)
    first = np.cumsum([0, *cache.rows.lengths(rows)])
    assert len(states) == first[-1]
    return states[first[:-1], 0].tolist() == [row + shift for row in rows]


@pytest.mark.parametrize("layer", [None, 1])
def test_rows_are_found_again_whatever_was_added_with_them(
    tmp_path: Path, layer: int | None
) -> None:
    rows, told = Numbered(layer), []
    first = cache_of(rows, tmp_path)
    first.add([*range(35), *range(35)], told.append)
    assert [len(piece) for piece in rows.computed] == [10, 10, 10, 5] == told
    assert len(segments(tmp_path)) == 4 and len(first) == 35 and first.reused == 0
    for asked in ([99, *range(35)], list(range(34, -1, -1)), [*range(5, 20), 77, *range(5, 20)]):
        rows.computed.clear()
        told.clear()
        again = cache_of(rows, tmp_path)
        again.add(asked, told.append)
        new = [n for n in asked if n > 34]
        assert rows.computed == [new] * bool(new) and holds(again, asked)
        assert again.reused == len(set(asked) - set(new)) == sum(told) - len(new)
        assert again.bytes == rows.lengths(list(set(asked))).sum() * 4 * 4
        for path in segments(tmp_path)[4:]:
            path.unlink()


def test_in_memory_alone_nothing_is_hashed_or_written(tmp_path: Path) -> None:
    rows = Numbered()
    rows.space = None  # type: ignore[method-assign, assignment]
    cache = cache_of(rows, None)
    cache.add(range(25))
    cache.add(range(20, 30))
    assert holds(cache, list(range(30))) and cache.missing([29, 30, 30]) == [30]
    assert [cache.number(n) for n in (0, 29, 30)] == [0, 29, None]


def test_memory_is_filled_first_and_the_rest_goes_to_disk(tmp_path: Path) -> None:
    rows = Numbered()
    cache = cache_of(rows, tmp_path, memory=cache_of(rows, None).size(range(20)))
    cache.add(range(20))
    assert not segments(tmp_path)
    cache.add(range(15, 36))
    assert [len(piece) for piece in rows.computed] == [10] * 3 + [6]
    again = cache_of(rows, tmp_path)
    again.add(range(36))
    assert again.reused == 16 and holds(again, list(range(36))) and holds(cache, list(range(36)))


def test_what_fills_no_piece_is_written_when_it_does_or_at_the_flush(tmp_path: Path) -> None:
    rows = Numbered()
    cache = cache_of(rows, tmp_path)
    for n in range(25):
        cache.add([n], flush=False)
        assert len(segments(tmp_path)) == (n + 1) // 10 and holds(cache, list(range(n + 1)))
    cache.flush()
    cache.flush()
    assert len(segments(tmp_path)) == 3 and holds(cache, list(range(25)))
    assert sum(block is not None for block in cache._blocks) == 3  # memory is let go of


def test_pieces_are_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Numbered()
    cache = cache_of(rows, None)
    monkeypatch.setattr("xadapt.backbones.cache.activations.PIECE_BYTES", cache.size([2, 2]))
    cache.add([2, 5, 8, 11, 14])  # of three tokens each
    assert rows.computed == [[2, 5], [8, 11], [14]]


@pytest.mark.parametrize("becomes", ["cleared", "filled by others", "damaged"])
def test_a_run_meets_its_own_rows_again(tmp_path: Path, becomes: str) -> None:
    """Computed in another batch a row may differ in the last bit: here it differs much more."""
    folder, run = tmp_path / "cache", tmp_path / "run"
    cache_of(Numbered(shift=0.5), folder).add(range(0, 30, 2))
    first = cache_of(Numbered(), folder)
    first.pin(run)
    assert not run.exists()  # nothing was used so far
    first.add(range(20))
    expected = [n if n % 2 else n + 0.5 for n in range(20)]
    before = segments(folder)
    if becomes == "damaged":
        for path in before:
            path.unlink()
            path.write_bytes(b"x")
    else:
        for path in before:
            path.unlink()
        cache_of(Numbered(shift=0.25), folder).add(range(20) if becomes[0] == "f" else ())
    rows = Numbered(shift=0.75)
    resumed = cache_of(rows, folder)
    resumed.pin(run)
    resumed.add(range(20))
    assert resumed.gather(list(range(20)))[:, 0].unique().tolist() == sorted(expected)
    assert rows.computed == [] and resumed.reused == 20


def test_pins_of_a_run_that_was_already_looking_are_written_late(tmp_path: Path) -> None:
    cache = cache_of(Numbered(), tmp_path / "cache")
    cache.add(range(5))
    cache.pin(tmp_path / "run")
    cache.add(range(8))
    for path in segments(tmp_path / "cache"):
        path.unlink()
    resumed = cache_of(Numbered(), tmp_path / "cache")
    resumed.pin(tmp_path / "run")
    resumed.add(range(8))
    assert resumed.reused == 8


def test_a_damaged_row_is_computed_again_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Numbered()
    cache_of(rows, tmp_path).add(range(10))
    [path] = segments(tmp_path)
    flip(path, path.read_bytes().index(np.full(4, 7.0, "f4").tobytes()) + 3)
    rows.computed.clear()
    for reused in (9, 10):
        cache = cache_of(rows, tmp_path)
        cache.add(range(10))
        assert holds(cache, list(range(10))) and cache.reused == reused
    assert rows.computed == [[7]] and len(caplog.records) == 1


def test_on_a_full_disk_memory_does_with_one_warning(tmp_path: Path) -> None:
    out, err = forked.start(lambda: on_a_full_disk(tmp_path)).communicate(timeout=300)
    assert err == ""
    warning, result = out.splitlines()
    assert warning.startswith("WARNING states are not kept") and "File too large" in warning
    assert result == "100 True"
    [path] = (p for p in tmp_path.rglob("*") if p.is_file())  # the first row, which fitted
    assert path.parent.parent.name == "activations"


def test_where_nothing_can_be_written_what_is_there_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a folder of another user; the test's own may be allowed everything."""
    cache_of(Numbered(), tmp_path).add(range(5))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("os.utime", "os.link", "tempfile.mkstemp", "pathlib.Path.mkdir"):
        monkeypatch.setattr(name, refused)
    rows = Numbered()
    cache = cache_of(rows, tmp_path)
    cache.add(range(12))
    cache.add(range(40))
    assert cache.reused == 5 and holds(cache, list(range(40))) and len(caplog.records) == 1
    assert sum(map(len, rows.computed)) == 35


def test_many_threads_get_what_one_gets(tmp_path: Path) -> None:
    rows = Numbered()
    cache = cache_of(rows, tmp_path)

    def ask(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        good = True
        for _ in range(20):
            wanted = [int(n) for n in rng.integers(0, 300, 7)]
            cache.add(wanted, flush=False)
            good = good and holds(cache, wanted)
        return good

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(32)))
    computed = [n for piece in rows.computed for n in piece]
    assert len(computed) == len(set(computed)) == len(cache)


def test_the_two_kinds_of_an_encoder(tmp_path: Path) -> None:
    texts = ActivationCache.for_texts(ENCODER, tmp_path)
    texts.add(TEXTS)
    assert torch.equal(texts.gather(TEXTS), encode(ENCODER, TEXTS))
    keys = [(tuple(row), None) for row in ENCODER.tokenize(TEXTS)]
    states = ActivationCache.for_layer(ENCODER, 2, tmp_path)
    states.add(keys)
    tokens, mask = ENCODER.batch([keys[0][0]])
    whole = ENCODER.run(ENCODER.embed(tokens, mask), mask, 0, 2)[0]
    assert torch.allclose(states.row(keys[0]), whole, atol=1e-5)
    assert len(segments(tmp_path)) == len(list((tmp_path / "activations").glob("[!.]*"))) == 2
