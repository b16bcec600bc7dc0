from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import everything, good, xadapt
from tiny_models import tiny_folder

from xadapt.cli.quickstart import _command


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


def test_help_names_the_defaults() -> None:
    shown = good("quickstart", "--help").out
    assert "sw,ru,hi" in shown and "mini" in shown


def test_the_page_shows_no_folder_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "x",
        "quickstart",
        "--out",
        "/home/me/q",
        "--base=C:\\Users\\me\\bert",
        "--lang",
        "sw,ru",
    ]
    monkeypatch.setattr("sys.argv", words)
    assert _command() == "xadapt quickstart --out q --base=bert --lang sw,ru"
