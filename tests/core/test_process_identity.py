from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from xadapt.core.process_identity import ProcessIdentity

SAY = (
    "from xadapt.core.process_identity import ProcessIdentity as P; "
    "print(P.current().token, flush=1);"
)


def test_this_process_lives_and_comes_back_from_its_text():
    own = ProcessIdentity.current()
    assert own.alive and own.here and own.pid == os.getpid()
    assert ProcessIdentity.parse(own.token) == own


@pytest.mark.parametrize("text", ["", "x", "0123456g-1-2", "01234567-1", "01234567-1-2-"])
def test_other_text_is_no_process(text):
    assert ProcessIdentity.parse(text) is None


def test_a_number_that_is_used_anew_is_another_process():
    own = ProcessIdentity.current()
    assert not replace(own, started=own.started + 1).alive


def test_a_process_lives_until_it_is_killed_also_before_anyone_waited_for_it():
    line = [sys.executable, "-c", SAY + "import sys; sys.stdin.read()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        found = ProcessIdentity.parse(other.stdout.readline().strip())
        assert found is not None and found.pid == other.pid and found.alive and found.here
        other.kill()
        while found.alive:  # a zombie from here on, until wait()
            pass
        assert other.returncode is None
    assert not found.alive


def test_of_another_machine_nothing_is_known():
    far = replace(ProcessIdentity.current(), machine="00000000", pid=2**22 + 1)
    assert far.alive and not far.here
    assert not replace(far, machine=ProcessIdentity.current().machine).alive
