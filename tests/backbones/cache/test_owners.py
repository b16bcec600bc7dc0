from __future__ import annotations

import os
import subprocess
import sys

import pytest

from xadapt.backbones.cache.owners import has_ended, owner


def test_this_process_runs_and_a_child_that_was_waited_for_has_ended() -> None:
    assert owner() == owner() and not has_ended(owner())
    code = "from xadapt.backbones.cache.owners import owner; print(owner())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    child = done.stdout.strip()
    assert child.split(".")[0] == owner().split(".")[0] and child != owner()
    assert has_ended(child)


def test_a_killed_process_that_nobody_has_waited_for_has_ended() -> None:
    host = owner().split(".")[0]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        import psutil

        name = f"{host}.{child.pid}.{int(psutil.Process(child.pid).create_time())}"
        assert not has_ended(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
        assert has_ended(name)


def test_a_number_that_another_process_has_got_since_is_seen_by_its_start() -> None:
    host, pid, start = owner().split(".")
    assert has_ended(f"{host}.{pid}.{int(start) - 1000}")


@pytest.mark.parametrize("name", ["", "x", "0.0", "ffffffff.1.1", "a.b.c"])
def test_of_other_hosts_and_other_names_nothing_is_known(name: str) -> None:
    assert not has_ended(name)
