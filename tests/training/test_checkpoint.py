from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from xadapt.core.errors import UserError
from xadapt.training import checkpoint
from xadapt.training.checkpoint import NAME, Progress


def parts(width=3):
    torch.manual_seed(0)
    trained = nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=0.1)
    return trained, optimizer


def step(trained, optimizer):
    optimizer.zero_grad()
    trained(torch.ones(1, 3)).square().sum().backward()
    optimizer.step()


def test_back_bitwise(tmp_path):
    trained, optimizer = parts()
    for _ in range(3):
        step(trained, optimizer)
    best = {"weight": torch.randn(2, 3)}
    progress = Progress(3, 2, 0.25, 1, 9.5, False, {"data": "x"})
    checkpoint.save(tmp_path, progress, trained, optimizer, best)
    again, its_optimizer = parts()
    found, its_best = checkpoint.load(tmp_path, again, its_optimizer, {"data": "x"})
    assert found == progress and torch.equal(its_best["weight"], best["weight"])
    for _ in range(2):
        step(trained, optimizer)
        step(again, its_optimizer)
    assert all(
        torch.equal(a, b) for a, b in zip(trained.parameters(), again.parameters(), strict=True)
    )
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_before_the_first_score_and_step(tmp_path):
    trained, optimizer = parts()
    checkpoint.save(tmp_path, Progress(), trained, optimizer, {})
    assert checkpoint.load(tmp_path, trained, optimizer, {}) == (Progress(), {})


def test_identity_is_compared_as_json(tmp_path):
    trained, optimizer = parts()
    identity = {"a": (1, 2), "b": None}
    checkpoint.save(tmp_path, Progress(identity=identity), trained, optimizer, {})
    checkpoint.load(tmp_path, trained, optimizer, identity)
    with pytest.raises(UserError, match="another a and c"):
        checkpoint.load(tmp_path, trained, optimizer, {"a": [1, 3], "c": 1})


def test_another_module_is_refused(tmp_path):
    trained, optimizer = parts()
    checkpoint.save(tmp_path, Progress(), trained, optimizer, {})
    wide, its_optimizer = parts(4)
    with pytest.raises(UserError, match="another module"):
        checkpoint.load(tmp_path, wide, its_optimizer, {})


KILLED = """
import os, signal, sys
from xadapt.core import files
with files.atomic_file(sys.argv[1]) as half:
    half.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / NAME], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert [p.name.startswith(f".{NAME}.") for p in tmp_path.iterdir()] == [True]
    trained, optimizer = parts()
    checkpoint.save(tmp_path, Progress(), trained, optimizer, {})
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.floats(0, 1))
def test_a_cut_checkpoint_is_a_user_error(tmp_path, share):
    trained, optimizer = parts()
    step(trained, optimizer)
    checkpoint.save(tmp_path, Progress(1), trained, optimizer, {})
    path = tmp_path / NAME
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * (len(raw) - 1))])
    with pytest.raises(UserError, match="no checkpoint to resume"):
        checkpoint.load(tmp_path, trained, optimizer, {})
