"""``xadapt publish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xadapt.cli import options
from xadapt.cli.verbs import Verb

if TYPE_CHECKING:
    from xadapt.hub.published_files import PublishedFiles


def publish(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of a module or of a composition.")
    ],
    repo: Annotated[str, typer.Option(metavar="ORG/NAME", help="Repository on the Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make a private repository.")] = False,
    dry_run: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write what would be published into this folder, and send nothing.",
        ),
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Title of the commit.")
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(metavar="BRANCH", help="Branch to publish on; it is made if it isn't there."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace a module of another base or language, or another repository."
        ),
    ] = False,
    json: options.JsonOption = None,
) -> None:
    """Publish a module on the Hub: one commit, read back and compared file by file."""
    from dataclasses import asdict

    from xadapt.hub.hub_ids import repository_id
    from xadapt.hub.published_files import published_files
    from xadapt.hub.publishing import publish_folder, write_dry_run

    repository_id(repo)
    _show(published_files(folder))
    if dry_run is not None:
        own = write_dry_run(folder, dry_run)
        typer.echo(f"wrote {dry_run}: {len(own.files)} files; nothing was sent")
        options.save_json(json, {"command": "publish", "files": list(own.files), "sent": False})
        return
    done = publish_folder(
        folder,
        repo,
        private=private,
        message=message,
        revision=revision,
        force=force,
        report=lambda line: typer.echo(line, err=True),
    )
    typer.echo(str(done))
    options.save_json(json, {"command": "publish", "sent": True, **asdict(done)})


def _show(own: PublishedFiles) -> None:
    """Show the head of the card and the files, before anything is sent."""
    from xadapt.hub.published_files import card_head

    for line in card_head(own):
        typer.echo(line)
    typer.echo("")
    for name, path in own.files.items():
        typer.echo(f"  {name:<40} {path.stat().st_size:>12,} bytes")
    typer.echo("")


VERBS = (
    Verb(
        "publish",
        "Hub",
        publish,
        (
            "xadapt publish sw --repo my-name/swahili --dry-run published",
            "xadapt publish sw --repo my-name/swahili --private",
        ),
    ),
)
