from __future__ import annotations

from collections.abc import Iterator

import pytest

from xadapt.core import progress
from xadapt.core.progress import meter


def test_lines_now_and_then_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter([0.0, 0.0, 20.0, 20.0, *[36.0] * 9])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with meter("training", 100) as bar:
        bar.skip(40)
        bar.advance(20, "loss 1.5")
        bar.advance(5, "loss 1.0")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training 60/100, 40 s left loss 1.5"
    assert bar.done == 65


def test_a_total_that_is_not_known(capsys, monkeypatch):
    clock = iter([0.0, 0.0, 20.0, 20.0, 25.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with meter("encoding", None) as bar:
        bar.skip(40)
        bar.advance(60, "fast")
        assert capsys.readouterr().err == "encoding 100 fast\n"
        assert bar.rate() == 60 / 25


def test_silence_when_not_shown(capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", -1.0)
    with meter("training", 10, show=False) as bar:
        bar.advance(3)
    assert capsys.readouterr() == ("", "") and bar.done == 3


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with meter("training", 10) as bar:
        bar.skip(2)
        bar.advance(8, "loss 0.250")
    out = capsys.readouterr()
    assert out.out == "" and "training" in out.err


def test_clock():
    assert (progress._clock(59.9), progress._clock(125)) == ("59 s", "2 min 05 s")


def test_rows_are_shown_only_where_they_take_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])

    def rows(seconds: float) -> Iterator[int]:
        for number in range(5000):
            clock[0] += seconds / 5000
            yield number

    assert list(progress.watched(rows(1.0), "reading a.tsv")) == list(range(5000))
    assert capsys.readouterr().err == ""
    assert list(progress.watched(rows(60.0), "reading a.tsv")) == list(range(5000))
    assert capsys.readouterr().err.splitlines() == ["reading a.tsv 3000", "reading a.tsv 5000"]
    assert list(progress.watched(rows(60.0), "reading a.tsv", show=False)) == list(range(5000))
    assert capsys.readouterr().err == ""
