"""The verbs of the command line, each found by its file.

A verb is a file of this folder that assigns ``VERBS``, a tuple of `Verb`. No list of verbs is kept.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

PANELS = ("Train", "Use", "Evaluate", "Data", "Graphs", "Hub", "Serve", "Help")
"""The panels of ``xadapt --help``, in order. A panel without a verb is not shown."""


class VerbCommand(TyperCommand):
    """A command whose help shows no type beside an option that takes no value."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        for parameter in self.params:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""


@dataclass(frozen=True)
class Verb:
    """One verb of the command line.

    Attributes:
        name: ``xadapt NAME``.
        panel: Its panel in ``xadapt --help``, one of `PANELS`.
        run: The function of the verb, or the app that holds its own verbs.
        examples: Two command lines that work, for the verb's help.
        interrupted: How the work goes on after Ctrl-C, for a verb that can go on.
        interrupted_with: The option without which the verb can't go on.
    """

    name: str
    panel: str
    run: Callable[..., Any] | typer.Typer
    examples: tuple[str, ...]
    interrupted: str = ""
    interrupted_with: str = ""

    def add(self, app: typer.Typer) -> None:
        """Add the verb to an app."""
        about: dict[str, Any] = {"rich_help_panel": self.panel, "epilog": epilog(self.examples)}
        if isinstance(self.run, typer.Typer):
            app.add_typer(self.run, name=self.name, **about)
        else:
            app.command(self.name, cls=VerbCommand, **about)(self.run)


def epilog(examples: tuple[str, ...]) -> str:
    """Return the end of a verb's help: its examples, one a paragraph."""
    return "\n\n".join(["Examples:", *map(escape, examples)])


@cache
def verbs() -> tuple[Verb, ...]:
    """Return all verbs, in the order of their panels, then of their names."""
    return verbs_in("xadapt.cli")


def verbs_in(package: str) -> tuple[Verb, ...]:
    """Return the verbs of the files of one package, in the order of their panels and names."""
    folder = Path(str(importlib.import_module(package).__file__)).parent
    found = [
        verb
        for file in sorted(folder.glob("*.py"))
        if "\nVERBS" in file.read_text(encoding="utf-8")
        for verb in importlib.import_module(f"{package}.{file.stem}").VERBS
    ]
    return tuple(sorted(found, key=lambda verb: (PANELS.index(verb.panel), verb.name)))
