from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numbered_rows import SPACE, Numbered, flip
from safetensors import safe_open

from xadapt.backbones.cache import segments as files
from xadapt.backbones.cache.segments import keys_of, write_segment
from xadapt.backbones.cache.store import SegmentStore


def keys(rows: list[int]) -> np.ndarray:
    return keys_of(SPACE, [str(row).encode() for row in rows])


def values(store: SegmentStore, rows: list[int]) -> dict[int, float]:
    """First value of each row that is found."""
    found = {}
    for segment, positions, inside in store.take(keys(rows)):
        for position, row in zip(positions, inside, strict=True):
            found[rows[position]] = float(segment.states[segment.offsets[row], 0])
    return found


def in_sitting(path: Path) -> Path:
    """Put a segment where the first sitting of a run has it."""
    target = path.parent / "000000" / path.name
    target.parent.mkdir()
    return path.rename(target)


def store(cache: Path, pins: Path | None = None, limit: int = 10**9) -> SegmentStore:
    made = SegmentStore(cache, Numbered(), limit)
    if pins:
        made.pin(pins)
    return made


def test_rows_are_found_in_any_order_and_in_any_segment(tmp_path: Path) -> None:
    root, rng = tmp_path / "activations", np.random.default_rng(0)
    for start in range(0, 300, 50):
        Numbered().write(root, list(range(start, start + 50)))
    wanted = [int(n) for n in rng.permutation(400)]
    assert values(store(tmp_path), wanted) == {n: n for n in range(300)}
    assert values(store(tmp_path), []) == {} == values(store(tmp_path / "none"), [1])


def test_keys_that_share_their_first_half_are_told_apart(tmp_path: Path) -> None:
    rows = Numbered()
    own = keys([5, 6])
    twin = own.copy()
    twin[:, 0] = own[0, 0]
    for key, value in ((twin[:1], 5.0), (twin[1:], 6.0)):
        path = tmp_path / "activations" / SPACE.hex() / files.new_name()
        write_segment(path, SPACE, key, np.array([1]), torch.full((1, 4), value))
    made = SegmentStore(tmp_path, rows, 10**9)
    found = {int(p[0]): float(s.states[0, 0]) for s, p, _ in made.take(twin)}
    assert found == {0: 5.0}  # the other is computed again, and never taken for this one


def test_pinned_goes_before_the_oldest_which_goes_before_others(tmp_path: Path) -> None:
    root, pins = tmp_path / "activations", tmp_path / "run"
    Numbered(shift=0.1).write(root, [1, 2, 3], "0001-a-a.safetensors")
    Numbered(shift=0.2).write(root, [2, 3, 4], "0000-a-a.safetensors")
    in_sitting(Numbered(shift=0.3).write(pins, [3], "0009-a-a.safetensors"))
    rows = [1, 2, 3, 4]
    expected = {1: 1.1, 2: 2.2, 3: 3.2, 4: 4.2}
    assert values(store(tmp_path), rows) == pytest.approx(expected)
    expected[3] = 3.3
    assert values(store(tmp_path, pins), rows) == pytest.approx(expected)
    assert sorted(f"{p.parent.name[-1]} {p.name[:4]}" for p in pins.glob("*/*/*")) == [
        "0 0009",
        "1 0000",
        "1 0001",
    ]
    for path in root.glob("*/*"):
        path.unlink()
    Numbered(shift=0.5).write(root, rows, "0000-b-b.safetensors")  # older than what is pinned
    assert values(store(tmp_path, pins), rows) == pytest.approx(expected)


def test_pins_are_hard_links_and_copies_where_these_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Numbered().write(tmp_path / "activations", [1, 2, 3])
    made = store(tmp_path)
    assert values(made, [1]) == {1: 1}
    for name, links in (("one", 2), ("two", 2)):
        made.pin(tmp_path / name)
        assert path.stat().st_nlink == links
        pinned = tmp_path / name / SPACE.hex() / "000000" / path.name
        assert pinned.read_bytes() == path.read_bytes()
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(18, "other disk")))
    path.unlink()
    made.pin(tmp_path / "three")  # it is mapped still
    assert values(store(tmp_path / "none", tmp_path / "three"), [1, 2, 3]) == {1: 1, 2: 2, 3: 3}


@pytest.mark.parametrize("pinned", [False, True])
def test_a_damaged_row_is_lost_alone_told_of_once_and_mended(
    tmp_path: Path, pinned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    root, pins = tmp_path / "activations", tmp_path / "run" if pinned else None
    rows = list(range(20))
    path = Numbered().write(pins or root, rows)
    path = in_sitting(path) if pins else path
    raw = path.read_bytes()
    flip(path, raw.index(np.full(4, 7.0, "f4").tobytes()) + 5)
    assert values(store(tmp_path, pins), rows) == {n: n for n in rows if n != 7}
    [record] = caplog.records
    assert "1 of 20 rows" in record.message and str(path) in record.message
    caplog.clear()
    again = store(tmp_path, pins)
    assert values(again, rows) == {n: n for n in rows if n != 7} and not caplog.records


def test_of_a_damaged_row_the_next_sound_copy_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "activations"
    paths = [
        Numbered(shift=s).write(root, [7, n], f"000{n}-a-a.safetensors")
        for n, s in enumerate((0.125, 0.25, 0.5))
    ]
    for path, value in zip(paths[:2], (7.125, 7.25), strict=True):
        flip(path, path.read_bytes().index(np.full(4, value, "f4").tobytes()))
    assert values(store(tmp_path), [7, 0, 1, 2]) == {7: 7.5, 0: 0.125, 1: 1.25, 2: 2.5}
    assert len(caplog.records) == 1  # the second was never trusted with it


@pytest.mark.parametrize("damage", ["index", "header", "cut", "empty"])
@pytest.mark.parametrize("pinned", [False, True])
def test_a_segment_that_cannot_be_used_is_told_of_and_removed(
    tmp_path: Path, damage: str, pinned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    root, pins = tmp_path / "activations", tmp_path / "run"
    path = Numbered().write(pins if pinned else root, [1, 2, 3])
    path = in_sitting(path) if pinned else path
    Numbered().write(root, [4, 5])
    raw = path.read_bytes()
    if damage == "index":
        flip(path, raw.index(keys([2]).tobytes()))
    elif damage == "header":
        flip(path, 9)
    else:
        path.write_bytes(raw[:-3] if damage == "cut" else b"")
    assert values(store(tmp_path, pins), [1, 2, 3, 4, 5]) == {4: 4, 5: 5}
    [record] = caplog.records
    assert "damaged" in record.message and str(path) in record.message and not path.exists()


def test_a_million_rows_would_be_opened_by_reading_files_not_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, many = tmp_path / "activations", 100_000
    rows = Numbered(layer=None, width=2)
    for start in range(0, many, 4096):
        rows.write(root, list(range(start, min(many, start + 4096))))
    opened: list[str] = []
    hashed: list[int] = []
    monkeypatch.setattr(files, "safe_open", lambda p, **k: (opened.append(p), safe_open(p, **k))[1])
    digest = files.xxhash.xxh3_64_intdigest
    monkeypatch.setattr(
        files.xxhash, "xxh3_64_intdigest", lambda x: (hashed.append(1), digest(x))[1]
    )
    made = SegmentStore(tmp_path, rows, 10**9)
    assert not opened  # not before a row is asked for
    [(segment, _, inside)] = made.take(keys([77_777]))
    assert len(opened) == -(-many // 4096) == 25 and len(hashed) == 1
    assert segment.states[inside].tolist() == [[77_777.0, 77_777.0]]
    made.take(keys([5, 6, 7]))
    assert len(opened) == 25 and len(hashed) == 4


def test_the_folder_is_bounded_by_what_was_used_longest_ago(tmp_path: Path) -> None:
    root, rows = tmp_path / "activations", list(range(30))
    old = Numbered().write(root, rows)
    size = old.stat().st_size
    os.utime(old, (1, 1))
    idle, used = (Numbered().write(root, [100 + n for n in rows]) for _ in range(2))
    for age, path in ((3, idle), (2, used)):
        os.utime(path, (age, age))
    made = store(tmp_path, limit=3 * size + size // 2)
    assert values(made, [0]) == {0: 0}  # in use from here on, and the latest
    states = torch.cat([torch.full((1 + n % 3, 4), float(n)) for n in rows])
    lengths = np.array([1 + n % 3 for n in rows])
    for _ in range(2):
        assert made.write(keys(rows), lengths, states) is not None
    assert old.exists() and not idle.exists() and not used.exists()
    assert len(list(root.glob("*/*.safetensors"))) == 3
    made.write(keys(rows), lengths, states)
    assert len(list(root.glob("*/*.safetensors"))) == 4  # all are in use: nothing is removed
    del made
    fresh = store(tmp_path, limit=2 * size + size // 2)
    fresh.write(keys(rows), lengths, states)
    assert not old.exists() and len(list(root.glob("*/*.safetensors"))) == 2
