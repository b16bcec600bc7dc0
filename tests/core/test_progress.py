from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from xadapt.core import progress
from xadapt.core.progress import all_shown, ambient, meter, waiting


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


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def test_work_of_unknown_length_is_one_line_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(progress.sys, "stderr", SimpleNamespace(write=said.append, flush=list))
    with waiting("loading mini"):
        wait_for(lambda: bool(said))
        with meter("encoding", 3):
            pass
        with waiting("silent", show=False):
            pass
    assert said == ["loading mini ...\n"]
    monkeypatch.setattr(progress, "EVERY", 60.0)
    before = threading.active_count()
    with waiting("quick"):
        pass
    wait_for(lambda: threading.active_count() <= before)
    assert said == ["loading mini ...\n"]


def test_a_bar_takes_the_place_of_a_spinner_and_gives_it_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "LATE", 0.0)
    with waiting("loading mini"):
        [outer] = progress._displays.waits
        wait_for(lambda: outer._bar is not None)
        with meter("training", 2) as bar:
            assert outer._bar is None
            with meter("inside", 5) as inner, waiting("inside too"):
                inner.advance(5)
            bar.advance(2)
        wait_for(lambda: outer._bar is not None)
        with waiting("reading"):
            assert outer._bar is None
        wait_for(lambda: outer._bar is not None)
    assert outer._bar is None and progress._displays.waits == []
    out = capsys.readouterr()
    assert out.out == "" and "loading mini" in out.err and "training" in out.err
    assert "inside" not in out.err and "reading" in out.err


def test_a_spinner_is_gone_after_an_error() -> None:
    with pytest.raises(ValueError), waiting("loading"), meter("training", 2):
        raise ValueError
    assert progress._displays.waits == [] and progress._displays.bars == 0


def test_standard_output_that_is_a_file_is_left_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with meter("training", 2):
        print("a result")
    assert capfd.readouterr().out == "a result\n"


def test_forwards_are_shown_only_inside_all_shown_and_only_where_they_take_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])

    def forwards(seconds: float) -> Iterator[tuple[list[int], str]]:
        for number in range(100):
            clock[0] += seconds / 100
            yield [number, number], "vector"

    def read(seconds: float) -> str:
        assert len(list(ambient(forwards(seconds), "encoding", 200))) == 100
        return capsys.readouterr().err

    assert read(100.0) == ""
    with all_shown():
        assert read(1.0) == ""
        lines = read(100.0).splitlines()
        assert lines[0].startswith("encoding 38/200, ") and lines[0].endswith(" left")
        with meter("training", 3):
            assert read(100.0) == ""
    assert read(100.0) == ""
