from __future__ import annotations

import json
import subprocess
import sys

import pytest

from xadapt.core import files
from xadapt.core.errors import UserError

FULL = """
import resource, signal, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from xadapt.core import files
from xadapt.core.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path(sys.argv[1]) / "out"
def tensors():
    with files.atomic_file(path) as temporary:
        save_file({"a": torch.zeros(9999)}, str(temporary))
def line():
    files.append_line(path.with_name("log"), "x" * 9999)
for write in (lambda: files.write_text(path, "x" * 9999), tensors, line):
    try:
        write()
    except UserError as error:
        print(str(error).count(chr(10)), path.exists())
"""


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    files.write_text(target, "one")
    with pytest.raises(RuntimeError), files.atomic_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "one"
    with target.open() as reader:  # who reads the old file goes on reading it
        files.write_text(target, "two")
        assert reader.read() == "one" and target.read_text() == "two"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(RuntimeError), files.atomic_folder(target) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with files.atomic_folder(target) as temporary:
        (temporary / "a").write_text("one")
    with pytest.raises(UserError, match="not empty"), files.atomic_folder(target):
        pytest.fail("a folder that holds something was opened")
    with files.atomic_folder(target, replace=True) as temporary:
        (temporary / "b").write_text("two")
    assert [p.name for p in target.iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_output_folder_must_be_empty(tmp_path):
    files.require_empty(tmp_path)
    files.require_empty(tmp_path / "absent")
    (tmp_path / "a").write_text("")
    for path in (tmp_path, tmp_path / "a"):
        with pytest.raises(UserError, match="not empty"):
            files.require_empty(path)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:3] == ["0 False"] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


def test_json_back_and_its_faults(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"ä": [1, 2.5, None]})
    assert files.read_json(path) == {"ä": [1, 2.5, None]} and "ä" in path.read_text("utf-8")
    path.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        files.read_json(path)
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match="not JSON"):
        files.read_json(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not JSON"):
        files.read_json(path)
    for absent in (tmp_path / "no", tmp_path):
        with pytest.raises(UserError):
            files.read_json(absent)


def test_lines_are_appended(tmp_path):
    for number in range(3):
        files.append_line(tmp_path / "log", json.dumps({"n": number}))
    assert [json.loads(x)["n"] for x in (tmp_path / "log").read_text().splitlines()] == [0, 1, 2]


def test_sweep_takes_what_killed_writers_left_and_nothing_else(tmp_path):
    (tmp_path / ".a.txt.x1").write_text("half")
    (tmp_path / ".a.txt.x2").mkdir()
    (tmp_path / ".b.txt.x1").write_text("half")
    (tmp_path / "a.txt").write_text("whole")
    files.sweep(tmp_path / "a.txt", older=60)
    assert len(list(tmp_path.iterdir())) == 4
    files.sweep(tmp_path / "a.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".b.txt.x1", "a.txt"]


def test_hash_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256_file(tmp_path / "a").startswith("ba7816bf8f01cfea")
