"""``xadapt search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import options
from xadapt.cli.verbs import Verb

HIDDEN = ("kind", "objectives")
"""Columns that would make the table wider than 80 characters; --json has them."""


def search(
    base: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="Hub id of the base.")
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="TAG", help="Language: BCP-47 or ISO 639-3. Related languages come after it."
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of an objective, such as translation_ranking."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Task of the head, such as tagging.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Search below this folder instead of the Hub."),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Search in an index of xadapt index-modules instead: a file, or an address.",
        ),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """Search modules on the Hub, in a folder or an index; exact languages come first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from xadapt.hub.search import COLUMNS
    from xadapt.hub.search import search as find

    found = find(base=base, lang=lang, objective=objective, task=task, folder=folder, index=index)
    for line in found.skipped:
        typer.echo(f"passed over: {line}", err=True)
    options.save_json(json, {"command": "search", **found.to_dict()})
    if not found:
        typer.echo("no module found")
        return
    shown = [name for name in COLUMNS if name not in HIDDEN]
    table = Table(*shown, box=box.SIMPLE_HEAD)
    for row in found.rows():
        table.add_row(*(row[name] for name in shown))
    Console(highlight=False).print(table, markup=False)


VERBS = (
    Verb(
        "search",
        "Hub",
        search,
        (
            "xadapt search --lang sw --folder .",
            "xadapt search --lang sw --base sentence-transformers/all-MiniLM-L6-v2",
        ),
    ),
)
