"""The real command line on a tiny base, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_folder
from tiny_training import pairs

from xadapt.cli.app import main
from xadapt.data.records import ParallelPair

MAIN = "import torch; torch.set_num_threads(1); from xadapt.cli.app import main; main()"
QUICK = ("--set", "module.rank=2", "--set", "dtype=float32")


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()


def xadapt(*arguments: Any) -> Done:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["xadapt", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        return Done(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = before
    raise AssertionError("main always exits")


def command(*arguments: Any) -> list[str]:
    """The same as a command line of its own."""
    return [sys.executable, "-c", MAIN, *map(str, arguments)]


def light(*arguments: Any) -> list[str]:
    """A command line of its own that does not import torch beforehand."""
    return [sys.executable, "-m", "xadapt", *map(str, arguments)]


def apart(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=600, env=env, **options
    )


def good(*arguments: Any) -> Done:
    """Run it and ask for success."""
    done = xadapt(*arguments)
    assert done.code == 0, done.err
    return done


def write_tsv(path: Path, rows: Sequence[ParallelPair]) -> Path:
    """Pairs as TSV without a header, the pivot first."""
    path.write_text("".join(f"{p.pivot}\t{p.text}\n" for p in rows), encoding="utf-8")
    return path


def everything(folder: Path) -> list[str]:
    """Every file and folder below one, by its relative path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class Place:
    """A tiny base with data, made once for a file of tests."""

    def __init__(self, folder: Path, **base: Any) -> None:
        self.base = tiny_folder(folder / "base", **base)
        self.data = write_tsv(folder / "pairs.tsv", pairs(60))
        self.test = write_tsv(folder / "test.tsv", pairs(40, seed=9))

    def train(self, out: Path, *more: Any, recipe: Any = "translation_ranking") -> tuple[Any, ...]:
        """The arguments that train a small module."""
        given = ("--base", self.base, "--data", self.data, "--lang", "de", "--out", out)
        return ("train", recipe, *given, *QUICK, *more)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A tiny BERT with pairs to train and test on."""
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def de(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module for German on that base."""
    folder = tmp_path_factory.mktemp("modules") / "de"
    good(*place.train(folder))
    return folder
