from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xxhash
from safetensors.torch import load_file

from xadapt.backbones.cache import segments
from xadapt.backbones.cache.owners import owner
from xadapt.backbones.cache.segments import (
    DamagedSegmentError,
    hash_rows,
    keys_of,
    new_name,
    open_segment,
    owner_of,
    write_segment,
)

SPACE = b"a" * 16
LENGTHS = np.array([2, 1, 4, 3])


def written(path: Path, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    states = torch.randn(10, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    write_segment(path, SPACE, keys_of(SPACE, [b"a", b"b", b"c", b"d"]), LENGTHS, states)
    return states


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_come_back_bitwise_and_the_file_is_plain_safetensors(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    path = tmp_path / "deep" / "x.safetensors"
    states = written(path, dtype)
    found = open_segment(path, SPACE, 6, dtype)
    assert torch.equal(found.states, states) and found.offsets.tolist() == [0, 2, 3, 7, 10]
    assert not found.damaged(np.arange(4)).any()
    assert load_file(str(path)).keys() == {"keys", "lengths", "hashes", "states"}
    third = states[3:7].view(torch.uint8).numpy().tobytes()
    assert found.hashes.view(np.uint64)[2] == xxhash.xxh3_64_intdigest(third)


def test_the_hash_is_of_the_rows_own_bytes() -> None:
    states = torch.arange(12.0).reshape(4, 3)
    one, two, both, none = hash_rows(states, np.array([0, 1, 0, 2]), np.array([1, 2, 2, 2]))
    twice = hash_rows(torch.cat([states, states]), np.array([4, 5]), np.array([5, 6]))
    assert twice.tolist() == [one, two] and len({one, two, both, none}) == 4


def test_keys_depend_on_the_row_and_on_what_all_rows_depend_on() -> None:
    keys = [keys_of(space, [b"x", b"y"]) for space in (SPACE, b"b" * 16)]
    assert keys[0].shape == (2, 2) and len({tuple(k) for both in keys for k in both.tolist()}) == 4
    assert np.array_equal(keys_of(SPACE, [b"y"])[0], keys[0][1])
    assert keys_of(SPACE, []).shape == (0, 2)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    states = written(path)
    raw = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = rows = 0
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= int(rng.integers(1, 256))
        path.unlink()  # what was mapped stays as it was
        path.write_bytes(changed)
        try:
            found = open_segment(path, SPACE, 6, torch.float32)
        except DamagedSegmentError:
            refused += 1
            continue
        bad = found.damaged(np.arange(4))
        rows += bad.any()
        for row in np.flatnonzero(~bad):  # what passes is what was written
            span = slice(found.offsets[row], found.offsets[row + 1])
            assert found.states[span].numpy().tobytes() == states[span].numpy().tobytes()
    assert refused > 100 and rows == 10 * 6 * 4


@pytest.mark.parametrize("size", [0, 5, 8, 60, -1, -40])
def test_a_cut_file_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.safetensors"
    written(path)
    raw = path.read_bytes()
    path.unlink()
    path.write_bytes(raw[:size])
    with pytest.raises(DamagedSegmentError):
        open_segment(path, SPACE, 6, torch.float32)


def test_a_segment_of_another_kind_is_refused_and_an_absent_one_is_told_apart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.safetensors"
    written(path)
    kinds = [(b"b" * 16, 6, torch.float32), (SPACE, 5, torch.float32), (SPACE, 6, torch.int32)]
    for space, width, dtype in kinds:
        with pytest.raises(DamagedSegmentError, match="index"):
            open_segment(path, space, width, dtype)
    path.unlink()
    segments.save_file({"states": torch.zeros(2, 6)}, str(path))
    with pytest.raises(DamagedSegmentError):
        open_segment(path, SPACE, 6, torch.float32)
    with pytest.raises(FileNotFoundError):
        open_segment(tmp_path / "none", SPACE, 6, torch.float32)


def test_names_are_unique_sorted_by_age_and_tell_their_process() -> None:
    names = [new_name() for _ in range(50)]
    assert len(set(names)) == 50 and sorted(n[:16] for n in names) == [n[:16] for n in names]
    assert owner_of(names[0]) == owner_of(f".{names[0]}.x1") == owner()
    assert owner_of("x.safetensors") == ""
