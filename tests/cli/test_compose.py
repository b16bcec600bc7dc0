from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import everything, good, xadapt


def test_help_shows_an_expression() -> None:
    assert "mix(a:.7" in good("compose", "--help").out


def test_a_missing_option_is_one_line() -> None:
    done = xadapt("compose", "a + b", "--base", "x")
    assert done.code == 2 and len(done.lines) == 1 and "--out" in done.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--json", "r.json"), "--json does nothing without --few-shot"),
        (("--budget", "9"), "--budget does nothing without --few-shot"),
        (("--lang", "de"), "--lang does nothing without --few-shot"),
        (("--module", "c=runs/c"), "no composition names 'c'"),
    ],
)
def test_options_that_would_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = xadapt("compose", "a + b", "--base", "/no/such", "--out", "o", *more)
    assert done.code == 2 and len(done.lines) == 1 and said in done.err
    assert everything(tmp_path) == []


@pytest.mark.parametrize("path", ["file/inside", "x" * 300, "file", "/proc/nowhere/o"])
def test_a_folder_that_cannot_be_made_is_one_line_first(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    done = xadapt("compose", "a + b", "--base", "/no/such", "--out", tmp_path / path)
    assert done.code == 2 and len(done.lines) == 1 and path[:30] in done.err
    assert everything(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "mine"
