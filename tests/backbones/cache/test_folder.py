from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_models import TEXTS, tiny_encoder

from xadapt.backbones.cache import folder as room
from xadapt.backbones.cache.folder import InUse, cache_folder, clear, parts, trim
from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.cache.owners import owner
from xadapt.backbones.cache.prefix_states import PrefixStates
from xadapt.core.errors import UserError


def five(root: Path) -> list[str]:
    """Files of 100 bytes in two folders; the last was used longest ago."""
    now, names = time.time(), []
    for number in range(5):
        path = root / "ab"[number % 2] / f"{number}-x-y.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (now - number, now - number))
        names.append(path.name)
    return names


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("*/*.safetensors"))


def test_the_oldest_go_first_over_all_bases(tmp_path: Path) -> None:
    names = five(tmp_path)
    assert trim(tmp_path, 500) == 500 and left(tmp_path) == names
    assert trim(tmp_path, 250) == 200 and left(tmp_path) == names[:2]


def test_what_a_running_process_uses_stays_until_it_ends(tmp_path: Path) -> None:
    names = five(tmp_path)
    mine = InUse(tmp_path)
    mine.add([names[4]])
    code = (
        "import sys; from pathlib import Path; from xadapt.backbones.cache.folder import InUse\n"
        f"used = InUse(Path({str(tmp_path)!r})); used.add([{names[3]!r}]); print(flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert trim(tmp_path, 250) == 200 and left(tmp_path) == names[3:]
        other.kill()
        other.wait()
    assert trim(tmp_path, 150) == 100 and left(tmp_path) == names[4:]
    assert trim(tmp_path, 0) == 100
    del mine
    gc.collect()
    assert trim(tmp_path, 0) == 0 and not list((tmp_path / ".in-use").iterdir())


def test_a_killed_writers_file_goes_at_once_and_a_running_ones_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    host, pid, start = owner().split(".")
    gone = f"{host}.{pid}.{int(start) - 1000}"
    half = {
        name: tmp_path / "a" / f".0-{own}-x.safetensors.{name}"
        for name, own in {"gone": gone, "mine": owner(), "far": "ffffffff.1.1", "old": "q"}.items()
    }
    for path in half.values():
        path.write_bytes(b"half")
    os.utime(half["old"], (time.time() - 2 * room.DAY,) * 2)
    trim(tmp_path, 250)
    assert [name for name, path in half.items() if path.exists()] == ["mine", "far"]


def test_parts_are_counted_and_cleared_under_a_reader(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    frozen, states = FrozenVectors(encoder, tmp_path), PrefixStates(encoder, 1, tmp_path)
    keys = [(tuple(row), None) for row in encoder.tokenize(TEXTS)]
    frozen.add(TEXTS)
    states.add(keys)
    before = frozen.get(TEXTS), states.batch(keys)[0].clone()
    late = FrozenVectors(encoder, tmp_path)
    late.add(TEXTS[:1])  # has read the index of all
    for old in ("vectors", "prefix"):
        (tmp_path / old).mkdir()
        (tmp_path / old / "0f.safetensors").write_bytes(b"abc")
    (tmp_path / "prefix" / ".a.safetensors.x").write_bytes(b"being written")
    (tmp_path / "mine").write_text("kept")
    [own, vectors, prefix] = parts(tmp_path)
    sizes = [p.stat().st_size for p in (tmp_path / "activations").glob("*/*.safetensors")]
    assert (own.name, own.files, own.bytes) == ("activations", 2, sum(sizes))
    assert (vectors.files, vectors.bytes, prefix.files) == (1, 3, 1)
    assert vectors.name == "old vectors" and prefix.folder == tmp_path / "prefix"
    clear(tmp_path)
    assert [(p.name, p.files, p.bytes) for p in parts(tmp_path)] == [("activations", 0, 0)]
    assert not list(tmp_path.rglob("*.safetensors"))
    assert (tmp_path / "prefix" / ".a.safetensors.x").exists() and (tmp_path / "mine").exists()
    assert torch.equal(frozen.get(TEXTS), before[0])
    assert torch.equal(states.batch(keys)[0], before[1])
    assert torch.equal(late.get(TEXTS), before[0]) and late.reused == len(TEXTS)
    frozen.add(["one more"])
    assert [p.files for p in parts(tmp_path)] == [1]
    clear(tmp_path / "nowhere")
    assert [p.files for p in parts(tmp_path / "nowhere")] == [0]


def test_a_folder_in_a_files_place_is_told_of_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "activations" / "a" / "0.safetensors").mkdir(parents=True)
    with pytest.raises(UserError, match="can't remove the activations"):
        clear(tmp_path)


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("XADAPT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "xadapt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "xadapt"
