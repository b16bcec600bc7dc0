"""The command line: every command, and how mistakes are told."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import typer
from rich.console import Console

from xadapt.cli import about, encode, evaluate, quickstart, train
from xadapt.errors import UserError

app = typer.Typer(
    help="Make a multilingual encoder work in your language: small modules on a frozen base.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("quickstart")(quickstart.quickstart)
app.command("train")(train.train)
app.add_typer(evaluate.app, name="evaluate")
app.command("encode")(encode.encode)
app.command("list")(about.list_)
app.command("explain")(about.explain)
app.command("doctor")(about.doctor)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 2 the user's mistake, 1 ours, 130 interrupted."""
    _quiet()
    try:
        app(standalone_mode=True)
    except UserError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted; the same command with --resume goes on where it stopped", 130)
    except Exception as error:
        if os.environ.get("XADAPT_DEBUG"):
            raise
        _fail(
            f"something went wrong inside xadapt ({type(error).__name__}: {error}). "
            "Set XADAPT_DEBUG=1 to see where, and please report it",
            1,
        )


def _fail(message: str, code: int) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"xadapt: {message}", markup=False)
    sys.exit(code)


def _quiet() -> None:
    """Leave other libraries' notices out of what a person reads."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore")
    for name in ("transformers", "adapters", "huggingface_hub", "sentence_transformers", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
