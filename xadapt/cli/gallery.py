"""``xadapt gallery``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import options
from xadapt.cli.verbs import Verb


def gallery(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with modules below it.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The page to write. Without it, gallery.html in the folder."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Title of the page.")] = None,
    force: options.ForceOption = False,
    json: options.JsonOption = None,
) -> None:
    """Write a page of a collection of modules: languages, gains, sizes, licences and loaders."""
    from dataclasses import asdict

    from xadapt.hub.gallery import collect
    from xadapt.report.gallery import MARK, write_gallery

    page = out or folder / "gallery.html"
    own = page.is_file() and MARK in page.read_text(encoding="utf-8", errors="replace")[:4000]
    options.require(
        force or own or not page.exists(),
        f"{page} is there, and no page of a gallery",
        "Name another file with --out, or add --force",
    )
    found = collect(folder, page, title)
    write_gallery(page, found)
    for line in found.skipped:
        typer.echo(f"passed over: {line}", err=True)
    count = sum(len(section.modules) for section in found.sections)
    typer.echo(f"wrote {page}: {count} module{'s' if count != 1 else ''}")
    options.save_json(json, {"command": "gallery", **asdict(found)})


VERBS = (
    Verb(
        "gallery",
        "Hub",
        gallery,
        (
            "xadapt gallery . --out page.html",
            'xadapt gallery . --out page.html --title "My modules" --json page.json',
        ),
    ),
)
