"""The command line: every command, and how mistakes are told."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any, NoReturn

import typer
from rich.console import Console

from xadapt.cli import about, compose, encode, evaluate, launched, quickstart, train, usage
from xadapt.core.errors import Notice, UserError

INTERRUPTED = 130
GOES_ON = {
    "train": "the same command with --resume goes on where it stopped",
    "quickstart": "the same command goes on where it stopped",
    "encode --shards": "whole shards stay; the same command with --resume goes on after them",
}

app = typer.Typer(
    help="Make a multilingual encoder work in your language: small modules on a frozen base.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("quickstart")(quickstart.quickstart)
app.command("train")(train.train)
app.add_typer(evaluate.app, name="evaluate")
app.command("encode")(encode.encode)
app.command("compose")(compose.compose)
app.command("usage")(usage.usage)
app.command("list")(about.list_)
app.command("explain")(about.explain)
app.command("doctor")(about.doctor)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 2 the user's mistake, 1 ours, 130 interrupted."""
    _quiet()
    arguments = sys.argv[1:] or ["--help"]
    if not launched.is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    try:
        code = app(arguments, standalone_mode=False)
    except UserError as error:
        _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # whoever read our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        _other(error)
    if code == INTERRUPTED:
        said = GOES_ON.get(_command(arguments))
        _fail(f"interrupted; {said}" if said else "interrupted", INTERRUPTED)
    sys.exit(code or 0)


def _command(arguments: list[str]) -> str:
    """The command, and with it the option that makes it one that can be gone on with."""
    sharded = any(word.partition("=")[0] == "--shards" for word in arguments)
    return f"{arguments[0]} --shards" if sharded else arguments[0]


def _other(error: Any) -> NoReturn:
    """A wrong use of options, which typer tells by its own exceptions, or a fault of ours."""
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        todo = f"See {context.command_path} --help" if context else ""
        _fail(str(UserError(error.format_message().strip().rstrip("."), todo=todo)), 2)
    if os.environ.get("XADAPT_DEBUG"):
        raise error
    _fail(
        f"something went wrong inside xadapt ({type(error).__name__}: {error}). "
        "Set XADAPT_DEBUG=1 to see where, and please report it",
        1,
    )


def _fail(message: str, code: int) -> NoReturn:
    line = " ".join(message.split())
    if not launched.is_first():
        if code == INTERRUPTED:  # as all are
            sys.exit(code)
        line = launched.give_way() + line
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"xadapt: {line}", markup=False)
    sys.exit(code)


def _notice(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as one line, in the first process."""
    if launched.is_first():
        typer.echo(" ".join(str(message).split()), err=True)


def _quiet() -> None:
    """Leave other libraries' notices out of what a person reads; ours are one line each."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore")
    warnings.filterwarnings("default", category=Notice)
    warnings.showwarning = _notice
    for name in ("transformers", "adapters", "huggingface_hub", "sentence_transformers", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
