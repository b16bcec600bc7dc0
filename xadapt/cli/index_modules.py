"""``xadapt index-modules``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import options
from xadapt.cli.verbs import Verb


def index_modules(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder with the folders of modules below it.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="The index to write (default: modules.json in the folder).",
        ),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """Write an index of the modules below a folder, which xadapt search reads from anywhere."""
    from xadapt.hub.module_index import NAME
    from xadapt.hub.module_index import index_modules as run

    made, skipped = run(folder, out)
    for line in skipped:
        typer.echo(f"passed over: {line}", err=True)
    typer.echo(f"wrote {out or folder / NAME}: {len(made.modules)} modules")
    paths = [one.path for one in made.modules]
    options.save_json(json, {"command": "index-modules", "modules": paths, "skipped": skipped})


VERBS = (
    Verb(
        "index-modules",
        "Hub",
        index_modules,
        (
            "xadapt index-modules .",
            "xadapt index-modules . --out index.json --json indexed.json",
        ),
    ),
)
