from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from tiny_commands import light, xadapt

from xadapt.cli import app

COMMANDS = ("quickstart", "train", "evaluate bitext", "evaluate entities", "encode", "compose")


@pytest.mark.parametrize("words", ["", *COMMANDS, "evaluate", "usage", "list", "explain", "doctor"])
def test_every_command_explains_itself(words: str) -> None:
    done = xadapt(*words.split(), "--help")
    assert done.code == 0 and "Usage: " in done.out and done.err == ""
    assert max(map(len, done.out.splitlines())) <= 80


def test_alone_it_shows_its_help() -> None:
    assert xadapt().out == xadapt("--help").out


LIGHT = """
import os, sys
from xadapt.cli.app import main

def run(*words):
    sys.argv = ["xadapt", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words

for words in ("--help", "--version", "train --help", "encode --help", "evaluate --help", "list",
              "list families", "list languages", "explain translation_ranking", "explain lora",
              "explain tsv", "explain bitext", "explain matthews", "explain verbalise"):
    run(*words.split())
words = {"COMP_WORDS": "xadapt train m", "COMP_CWORD": "2"}
os.environ |= {"_XADAPT_COMPLETE": "complete_bash", **words}
run()
heavy = {"torch", "transformers", "sklearn", "scipy", "datasets", "adapters", "peft", "matplotlib"}
print(heavy & set(sys.modules), file=sys.stderr)
"""


def test_help_lists_and_explanations_load_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert done.stderr.strip() == "set()"


def test_version() -> None:
    done = xadapt("--version")
    assert (done.code, done.out) == (0, f"xadapt {version('xadapt')}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate", "Missing command. See"),
        ("trian", "No such command 'trian'"),
        ("train", "Missing argument"),
        ("encode --base b", "Missing option"),
    ],
)
def test_wrong_use_is_one_line(words: str, said: str) -> None:
    done = xadapt(*words.split())
    assert done.code == 2 and len(done.lines) == 1 and said in done.err
    assert "--help" in done.err and done.out == ""


def stand_in(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(app, "command", lambda: fail)


def test_a_fault_of_ours_is_one_line_and_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XADAPT_DEBUG", raising=False)
    stand_in(monkeypatch, ValueError("two\nlines"))
    done = xadapt("list")
    assert done.code == 1 and len(done.lines) == 1
    assert "ValueError: two lines" in done.err and "XADAPT_DEBUG=1" in done.err
    monkeypatch.setenv("XADAPT_DEBUG", "1")
    with pytest.raises(ValueError):
        xadapt("list")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train r", "xadapt: interrupted; the same command with --resume goes on"),
        ("quickstart", "xadapt: interrupted; the same command goes on"),
        ("encode --base b", "xadapt: interrupted\n"),
        ("encode --shards d", "xadapt: interrupted; whole shards stay; the same command with"),
        ("encode --shards=d", "xadapt: interrupted; whole shards stay; the same command with"),
        ("evaluate bitext", "xadapt: interrupted\n"),
    ],
)
def test_ctrl_c_says_how_to_go_on_where_one_can(
    monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    stand_in(monkeypatch, KeyboardInterrupt())
    done = xadapt(*words.split())
    assert done.code == 130 and done.err.startswith(said) and len(done.lines) == 1


def test_sigterm_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(app, "command", lambda: terminated)
    done = xadapt("encode", "--shards", "d")
    assert done.code == 143 and done.err.startswith("xadapt: interrupted; whole shards stay")
    assert len(done.lines) == 1 and signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("name", ["/proc/nowhere/x", "a" * 300])
def test_a_path_of_the_user_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    try:
        Path(name).read_text()
    except OSError as error:
        stand_in(monkeypatch, error)
    done = xadapt("list")
    assert done.code == 2 and len(done.lines) == 1
    assert done.err.startswith(f"xadapt: {name}: can't use this path (")


@pytest.mark.parametrize("to", [">/dev/full", ">&-", "2>&- >&-", "| head -c 1"])
def test_the_exit_code_tells_of_the_work(to: str) -> None:
    line = f'set -o pipefail; "$0" "$@" {to}'
    done = subprocess.run(
        ["bash", "-c", line, *light("list")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0
    assert done.stderr.count("\n") == ("full" in to) and "Traceback" not in done.stderr


def test_square_brackets_of_a_message_are_shown(tmp_path: Path) -> None:
    done = xadapt("explain", "[bold]x[/bold]")
    assert done.code == 2 and "[bold]x[/bold]" in done.err


def test_no_color_is_respected() -> None:
    env = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "1"}
    done = subprocess.run(light("list", "recipes"), capture_output=True, text=True, env=env)
    assert done.returncode == 0 and "\x1b[3" not in done.stdout and "recipes" in done.stdout


def test_a_reader_that_goes_away_is_no_fault() -> None:
    run = subprocess.Popen(light("list"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == ""
    run.wait(timeout=300)
