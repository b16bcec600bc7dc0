from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_commands import Place, xadapt

from xadapt.backbones import shared_forwards as shared
from xadapt.cli import app, launched


def test_under_torchrun_a_mistake_is_one_line_from_the_first(tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    given = ("evaluate", "entities", "--base", "b", "--lang", "de", "--pool", "al", "--json", out)
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = subprocess.run(
        [sys.executable, *launch, "-m", "xadapt", *map(str, given)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    ours = [line for line in done.stderr.splitlines() if line.startswith("xadapt: ")]
    assert ours == ["xadapt: --pool is test or all, not 'al'"], done.stderr
    assert done.stdout == "" and "exitcode  : 2" in done.stderr and not out.exists()


@pytest.mark.parametrize("rank", ["0", "1"])
def test_one_process_speaks_for_all(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(launched.time, "sleep", waited.append)
    monkeypatch.setenv("RANK", rank)
    first = rank == "0"
    assert launched.is_first() == first
    done = xadapt("trian")
    whose = "" if first else "process 1: "
    assert done.code == 2 and done.err.startswith(f"xadapt: {whose}No such command 'trian'")
    assert waited == ([] if first else [launched.WAITS])

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "command", lambda: interrupted)
    done = xadapt("train")
    assert done.code == 130 and bool(done.err) == first and len(waited) == (not first)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_training_is_told_once(
    rank: str,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", rank)
    done = xadapt(*place.train(tmp_path / "m", "--set", "train.epochs=1"))
    assert done.code == 0 and ("held out" in done.err) == (rank == "0")
    assert rank == "0" or done.err == done.out == ""


def test_alone_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with launched.sharing():
        assert shared.is_first()
