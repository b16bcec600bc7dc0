"""``xadapt list``: the available recipes, parts, families and languages, with a line about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from xadapt.cli import options
from xadapt.cli.verbs import Verb
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.pipelines.listing import LISTS

Lines = Mapping[str, str]


def _listed(kind: str) -> Lines:
    found = LISTS[kind]()
    return {name: found[name]["description"] for name in found}


def _families() -> Lines:
    from xadapt.backbones.families import FAMILIES

    return {one.name: f"model_type {', '.join(one.model_types)}" for one in FAMILIES}


def _languages() -> Lines:
    from xadapt.data.readers.cldr_graph import languages
    from xadapt.languages.tags import display_name

    return {tag: f"{display_name(tag)}, {count} names" for tag, count in languages().items()}


KINDS: Mapping[str, Callable[[], Lines]] = {
    **{kind: partial(_listed, kind) for kind in LISTS},
    "families": _families,
    "languages": _languages,
}
"""What can be listed. ``languages`` are those of the built-in CLDR graph."""
SLOW = ("languages",)
"""What is listed only by name: reading all of CLDR takes seconds."""


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help=f"One of: {', '.join(KINDS)}.",
            autocompletion=lambda incomplete: [k for k in KINDS if k.startswith(incomplete)],
        ),
    ] = None,
    installed: Annotated[
        bool,
        typer.Option("--installed", help="List the modules in the Hub's cache on this machine."),
    ] = False,
    json: options.JsonOption = None,
) -> None:
    """List recipes, objectives, modules, readers, transforms, tasks and more, a line each."""
    if installed:
        options.require(kind is None, "--installed and a kind are both given", "Give one of them")
        _installed(json)
        return
    if kind is not None and kind not in KINDS:
        raise UserError(registry.unknown("kind", kind, list(KINDS)))
    chosen = [kind] if kind else [one for one in KINDS if json is not None or one not in SLOW]
    found = {one: dict(KINDS[one]()) for one in chosen}
    console = Console(highlight=False)
    width = max(len(name) for lines in found.values() for name in lines)
    for one, lines in found.items():
        console.print(f"[bold]{one}[/bold]")
        for name, about in lines.items():
            _print_line(console, name.ljust(width), about)
        console.print()
    if kind is None:
        console.print(
            "xadapt explain NAME shows more, with all options. xadapt list languages shows the\n"
            "languages of the built-in knowledge graph (--data cldr).",
            markup=False,
        )
    names = {one: list(lines) for one, lines in found.items()}
    options.save_json(json, {**names, "descriptions": found})


def _installed(json: Path | None) -> None:
    from xadapt.hub.installed import installed_modules

    found, skipped = installed_modules()
    for line in skipped:
        typer.echo(f"passed over: {line}", err=True)
    for one in found:
        names = f" ({', '.join(one.names)})" if one.names else ""
        typer.echo(f"{one.id}@{one.revision[:12]}{names}  {one}")
    if not found:
        typer.echo("no module is in the Hub's cache")
    options.save_json(json, {"command": "list", "installed": [one.to_dict() for one in found]})


def _print_line(console: Console, name: str, about: str) -> None:
    """Print one line; a terminal cuts a long one, a pipe has it whole."""
    line = Text.assemble("  ", (name, "cyan"), "  ", about)
    if console.is_terminal:
        console.print(line, no_wrap=True, overflow="ellipsis")
    else:
        console.print(line, soft_wrap=True)


VERBS = (Verb("list", "Help", list_, ("xadapt list recipes", "xadapt list --installed")),)
