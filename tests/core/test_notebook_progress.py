from __future__ import annotations

import time

import pytest

from xadapt.core import notebook_progress
from xadapt.core.notebook_progress import bar, step


def test_a_bar_that_is_asked_for_counts_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("Encoding", 5, True) as count:
        count(2)
        count(3)
    assert "Encoding" in capsys.readouterr().err


@pytest.mark.parametrize("show", [None, False])
def test_nobody_looks_and_nothing_is_shown(
    capsys: pytest.CaptureFixture[str], show: bool | None
) -> None:
    with bar("Encoding", 5, show) as count, step("loading", show):
        count(5)
    assert capsys.readouterr().err == ""


def test_short_work_shows_nothing_to_a_person_either(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_progress, "interactive", lambda: True)
    with bar("Encoding", 5, None) as count, step("loading", None):
        count(5)
    assert capsys.readouterr().err.strip() == ""


def test_long_work_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_progress, "interactive", lambda: True)
    monkeypatch.setattr(notebook_progress, "LATE", 0.01)
    with bar("Encoding", 5, None) as count, step("loading", None):
        time.sleep(0.2)
        count(5)
    said = capsys.readouterr().err
    assert "loading ..." in said and "loading: 0." in said and "Encoding" in said


def test_a_step_says_what_it_does_and_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    with step("loading the base mini", True):
        assert capsys.readouterr().err == "loading the base mini ...\n"
    assert capsys.readouterr().err.startswith("loading the base mini: 0.")
    with pytest.raises(ValueError), step("loading", True):
        raise ValueError
    assert ": 0" not in capsys.readouterr().err
