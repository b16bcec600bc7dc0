"""``xadapt verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import completion, launched, options
from xadapt.cli.verbs import Verb


def verify(
    place: Annotated[
        str,
        typer.Argument(
            metavar="DIR|ORG/NAME", help="A folder, or a Hub id: org/name or org/name@revision."
        ),
    ],
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="BASE",
            help="The base; without it, the one that the module names.",
            autocompletion=completion.bases,
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The publisher's public key, a PEM file, for the signature."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Test data of the evidence, which is then measured again: a file, or a folder.",
        ),
    ] = None,
    files_only: Annotated[
        bool,
        typer.Option("--files-only", help="Check files and signature alone, and load no base."),
    ] = False,
    json: options.JsonOption = None,
) -> None:
    """Verify a module: files, signature, base, vectors of each library. Exit code 0 or 1."""
    with launched.progress("starting"):
        from xadapt.pipelines.verify import verify as run

    found = run(
        place,
        base=base,
        public_key=public_key,
        data=data,
        files_only=files_only,
        report=lambda line: typer.echo(line, err=True),
    )
    typer.echo(str(found))
    options.save_json(json, {"command": "verify", **found.to_dict()})
    if not found.ok:
        raise typer.Exit(1)


VERBS = (
    Verb(
        "verify",
        "Hub",
        verify,
        (
            "xadapt verify sw --base mini",
            "xadapt verify sw --base mini --json verified.json",
        ),
    ),
)
