"""The command line: every command, and the report of errors."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.main import get_command

from xadapt.cli import launched, streams
from xadapt.cli.verbs import verbs
from xadapt.core.errors import Notice, UserError
from xadapt.training.interrupts import Terminated, sigterm_raises

INTERRUPTED, TERMINATED = 130, 143

app = typer.Typer(
    name="xadapt",
    help="Make a multilingual encoder work in your language: small modules on a frozen base.",
    epilog="xadapt VERB --help shows the options of a verb, and examples.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)
for _verb in verbs():
    _verb.add(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from xadapt import __version__

        typer.echo(f"xadapt {__version__}")
        raise typer.Exit


@app.callback()
def _shared(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Hold the options that come before a verb."""


def main() -> None:
    """Run the command line.

    Exit codes: 0 success, 2 a user error, 1 an internal error, 130 after Ctrl-C, 143 after
    SIGTERM. A closed or full standard output changes none of them.
    """
    _quiet()
    arguments = sys.argv[1:] or ["--help"]
    with streams.tolerant(), _own_output():
        sys.exit(_run(arguments))


@contextmanager
def _own_output() -> Iterator[None]:
    """Let only one of several processes print to standard output, and handle SIGTERM."""
    if launched.is_first():
        with sigterm_raises():
            yield
        return
    before = sys.stdout
    with open(os.devnull, "w") as sys.stdout:  # noqa: PTH123
        try:
            yield
        finally:
            sys.stdout = before


@cache
def command() -> Any:
    """Build the command of all verbs, once in a process that runs several."""
    return get_command(app)


def _run(arguments: list[str]) -> int:
    """Run a command, report its error if there is one, and return its exit code."""
    try:
        code = command()(arguments, prog_name="xadapt", standalone_mode=False) or 0
        return _interrupted(arguments, code) if code == INTERRUPTED else code
    except UserError as error:
        return _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(arguments, INTERRUPTED)
    except Terminated:
        return _interrupted(arguments, TERMINATED)
    except OSError as error:
        if error.filename is None:
            return _other(error)
        what = f"can't use this path ({error.strerror})"
        return _fail(str(UserError(what, where=os.fsdecode(error.filename))), 2)
    except Exception as error:
        return _other(error)


def _interrupted(arguments: list[str], code: int) -> int:
    verb = next((one for one in verbs() if one.name == arguments[0]), None)
    said = verb.interrupted if verb is not None else ""
    if verb is not None and verb.interrupted_with:
        given = {word.partition("=")[0] for word in arguments}
        said = said if verb.interrupted_with in given else ""
    return _fail(f"interrupted; {said}" if said else "interrupted", code)


def _other(error: Any) -> int:
    """Report a wrong use of options or an internal error, and return the exit code.

    typer raises its own exceptions for a wrong use of options.
    """
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        said = error.format_message().strip().rstrip(".")
        said += "" if said.endswith("?") or context is None else "."
        return _fail(f"{said} See {context.command_path} --help" if context else said, 2)
    if os.environ.get("XADAPT_DEBUG"):
        raise error
    return _fail(
        f"something went wrong inside xadapt ({type(error).__name__}: {error}). "
        "Set XADAPT_DEBUG=1 to see where, and please report it",
        1,
    )


def _fail(message: str, code: int) -> int:
    """Report an error in one line, and return the exit code."""
    line = " ".join(message.split())
    if not launched.is_first():
        if code in (INTERRUPTED, TERMINATED):  # as all are
            return code
        line = launched.give_way() + line
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"xadapt: {line}", markup=False)
    return code


def _notice(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as one line, in the first process."""
    if launched.is_first():
        typer.echo(" ".join(str(message).split()), err=True)


def _quiet() -> None:
    """Silence the notices of other libraries; those of xadapt are one line each."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore")
    warnings.filterwarnings("default", category=Notice)
    warnings.showwarning = _notice
    for name in ("transformers", "adapters", "huggingface_hub", "sentence_transformers", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
