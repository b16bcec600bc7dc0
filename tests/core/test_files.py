from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

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


HALF = """
import os, signal, sys
from pathlib import Path
from xadapt.core import files
folder = Path(sys.argv[1])
with files.atomic_file(folder / "a.txt") as one, files.atomic_folder(folder / "b") as other:
    one.write_text("half")
    (other / "c").write_text("half")
    print("ready", flush=True)
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def test_sweep_takes_what_killed_writers_left_and_nothing_else(tmp_path):
    mine = (".a.txt.swp", ".a.txt.12345678", ".xadapt", "a.txt")
    for name in mine:
        (tmp_path / name).write_text("mine")
    line = [sys.executable, "-c", HALF, str(tmp_path)]
    subprocess.run([*line, "die"], stdout=subprocess.PIPE, check=False)
    dead = {p.name for p in tmp_path.iterdir()} - set(mine)
    assert len(dead) == 2
    with subprocess.Popen([*line, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as live:
        assert live.stdout is not None and live.stdin is not None and live.stdout.readline()
        # the second writer swept what the first had left of the same names
        working = {p.name for p in tmp_path.iterdir()} - set(mine)
        assert len(working) == 2 and not working & dead
        (tmp_path / sorted(dead)[0]).write_text("half")
        files.sweep(tmp_path / "a.txt", older=60)
        assert len(list(tmp_path.iterdir())) == 7  # all are younger
        files.sweep_all(tmp_path)
        assert {p.name for p in tmp_path.iterdir()} == {*mine, *working}
        live.stdin.close()
    assert {p.name for p in tmp_path.iterdir()} == {*mine, "b"}
    assert (tmp_path / "a.txt").read_text() == "half"


def test_a_folder_moved_aside_by_a_killed_writer_comes_back(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from xadapt.core import files\n"
        "replace = Path.replace\n"
        "def once(self, to):\n"
        "    replace(self, to); os.kill(os.getpid(), signal.SIGKILL)\n"
        "Path.replace = once\n"
        "with files.atomic_folder(sys.argv[1], replace=True) as folder: pass\n"
    )
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("whole")
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert not target.exists()
    files.sweep(target)
    assert (target / "a").read_text() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_link_is_followed_and_keeps_being_one(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "real.txt").write_text("old")
    (tmp_path / "data" / "real.txt").chmod(0o600)
    (tmp_path / "link.txt").symlink_to("data/real.txt")
    (tmp_path / "dangling").symlink_to("data/new.txt")
    files.write_text(tmp_path / "link.txt", "new")
    files.write_text(tmp_path / "dangling", "made")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "data" / "real.txt").read_text() == "new"
    assert (tmp_path / "data" / "real.txt").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data" / "new.txt").read_text() == "made"
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(UserError, match="can't write"):
        files.write_text(tmp_path / "round", "x")
    assert len(list(tmp_path.iterdir())) == 4


def test_a_device_or_a_pipe_is_written_into_and_stays(tmp_path):
    null = Path("/dev/null").stat()
    files.write_text("/dev/null", "gone")
    assert os.path.samestat(Path("/dev/null").stat(), null) and stat.S_ISCHR(null.st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        files.write_text(pipe, "through")
        assert reader.stdout is not None and reader.stdout.read() == b"through"
    assert pipe.is_fifo()
    with pytest.raises(UserError, match=r"/dev/full: can't write \(No space"):
        files.write_text("/dev/full", "x")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(UserError, match="no file"):
            files.write_text(tmp_path / "socket", "x")
    with pytest.raises(UserError, match="this is a folder"):
        files.write_text(tmp_path, "x")


@pytest.mark.parametrize("name", ["x" * 300, "file/inside/out"])
def test_a_path_that_cannot_be_is_one_line(tmp_path, name):
    (tmp_path / "file").write_text("")
    path, failed = tmp_path / name, 0
    for act in (
        lambda: files.write_text(path, ""),
        lambda: files.require_empty(path),
        lambda: files.atomic_folder(path).__enter__(),
    ):
        try:
            act()
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            failed += 1
    assert failed >= 2
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_name_as_long_as_names_may_be(tmp_path):
    for name in ("x" * 255, "ü" * 127):
        files.write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"


def test_a_lock_is_no_content(tmp_path):
    (tmp_path / files.LOCK).write_text("")
    files.require_empty(tmp_path)


def test_hash_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256_file(tmp_path / "a").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize(("umask", "file", "inner"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
@pytest.mark.parametrize("told", [True, False])
def test_everything_that_is_written_has_the_modes_of_new_files(
    tmp_path, monkeypatch, told, umask, file, inner
):
    if not told:  # as where the system has no file that says the umask
        monkeypatch.setattr(files, "UMASK", re.compile("(?!)"))
    """A library may write private files, as `tempfile` does."""
    before = os.umask(umask)
    try:
        with files.atomic_folder(tmp_path / "out") as folder:
            (folder / "sub").mkdir(mode=0o700)
            for path in (folder / "a", folder / "sub" / "b"):
                path.touch(0o600)
        files.write_text(tmp_path / "alone", "text")
    finally:
        os.umask(before)
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert modes == {"out": inner, "sub": inner, "a": file, "b": file, "alone": file}


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    (tmp_path / "a").touch(0o640)
    (tmp_path / "a").chmod(0o640)
    files.write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
