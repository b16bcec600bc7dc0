from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_commands import everything

from xadapt.core.errors import UserError
from xadapt.core.files import LOCK
from xadapt.core.folder_lock import one_writer

HOLD = """
import sys
from xadapt.core.folder_lock import one_writer
with one_writer(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
RACE = """
import os, sys, time
from pathlib import Path
from xadapt.core.errors import UserError
from xadapt.core.folder_lock import one_writer
won = 0
for turn in range(200):
    try:
        with one_writer(sys.argv[1]):
            handle = os.open(sys.argv[1] + "/inside", os.O_CREAT | os.O_EXCL)
            time.sleep(0.0005)
            os.close(handle)
            os.unlink(sys.argv[1] + "/inside")
            won += 1
    except UserError:
        time.sleep(0.0005)
print(won)
"""


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def held(folder: Path) -> subprocess.Popen[str]:
    """A process that holds a folder by now."""
    run = start(HOLD, folder)
    assert run.stdout is not None and run.stdout.readline() == "held\n"
    return run


def test_what_was_made_goes_and_what_holds_something_stays(tmp_path: Path) -> None:
    with one_writer(tmp_path / "a" / "b"):
        assert everything(tmp_path) == ["a", "a/b", f"a/b/{LOCK}"]
    assert everything(tmp_path) == []
    with one_writer(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").write_text("")
    assert everything(tmp_path) == ["a", "a/b", "a/b/file"]
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError), one_writer(tmp_path / "there"):
        raise ValueError
    assert everything(tmp_path / "there") == []
    assert (tmp_path / "there").is_dir()


def test_a_live_writer_is_named_and_nothing_is_touched(tmp_path: Path) -> None:
    with held(tmp_path / "out") as other:
        before = (tmp_path / "out" / LOCK).read_text()
        with pytest.raises(UserError) as caught, one_writer(tmp_path / "out"):
            pytest.fail("two writers")
        said = str(caught.value)
        assert f"process {other.pid} on " in said and "-c" in said and "\n" not in said
        assert (tmp_path / "out" / LOCK).read_text() == before
        other.communicate("", timeout=60)
    with one_writer(tmp_path / "out"):
        pass


@pytest.mark.parametrize("reaped", [True, False])
def test_the_lock_of_a_killed_writer_is_taken_over(tmp_path: Path, reaped: bool) -> None:
    other = held(tmp_path / "out")
    other.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
    if reaped:
        other.wait()
    assert (tmp_path / "out" / LOCK).exists()
    with one_writer(tmp_path / "out"):
        assert json.loads((tmp_path / "out" / LOCK).read_text())["pid"] == os.getpid()
    other.communicate()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": "x"}', '{"process": 3}', "\xff\x00"])
def test_a_lock_that_was_cut_is_taken_over(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK).write_text(text, encoding="latin-1")
    with one_writer(tmp_path):
        pass
    assert everything(tmp_path) == []


def test_a_writer_of_another_machine_is_refused_with_what_to_remove(tmp_path: Path) -> None:
    with one_writer(tmp_path):
        row = json.loads((tmp_path / LOCK).read_text())
    row["process"] = "00000000-" + row["process"].split("-", 1)[1]
    (tmp_path / LOCK).write_text(json.dumps(row))
    said = f"if that process is gone, remove {tmp_path / LOCK}"
    with pytest.raises(UserError, match=said), one_writer(tmp_path):
        pytest.fail("taken over")


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    twice = pytest.raises(UserError, match="this very process")
    with one_writer(tmp_path), twice, one_writer(tmp_path):
        pytest.fail("two writers")
    assert everything(tmp_path) == []


def test_many_that_come_and_go_are_never_two_at_once(tmp_path: Path) -> None:
    runs = [start(RACE, tmp_path / "out") for _ in range(4)]
    counts = []
    for run in runs:
        out, _ = run.communicate(timeout=300)
        assert run.returncode == 0
        counts.append(int(out))
    assert sum(counts) > 100
    assert everything(tmp_path) in ([], ["out"])


def test_other_processes_of_one_launcher_do_nothing(tmp_path: Path) -> None:
    with one_writer(tmp_path / "out", main=False):
        assert everything(tmp_path) == []


@pytest.mark.parametrize("name", ["file/out", "x" * 300, "file", "/proc/nowhere/out"])
def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="can't write") as caught, one_writer(tmp_path / name):
        pytest.fail("held")
    assert "\n" not in str(caught.value)
    assert everything(tmp_path) == ["file"]


def test_what_the_work_inside_raises_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), one_writer(tmp_path):
        (tmp_path / "none").read_text()
