"""``xadapt publish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xadapt.cli import launched, options
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
    collection: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/TITLE",
            help="Collection to add the repository to, or its slug; it is made if it isn't there.",
        ),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY",
            help="Sign all files with this private key, a PEM file of an elliptic curve. The "
            "password of an encrypted key is read from XADAPT_KEY_PASSWORD.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace a module of another base or language, or another repository."
        ),
    ] = False,
    json: options.JsonOption = None,
) -> None:
    """Publish a module on the Hub: one commit, downloaded again and verified file by file."""
    with launched.progress("starting"):
        from dataclasses import asdict

        from xadapt.hub.hub_ids import repository_id
        from xadapt.hub.published_files import PublishedFiles, published_files
        from xadapt.pipelines.publish import publish as run

    repository_id(repo)
    _show(published_files(folder))
    done = run(
        folder,
        repo,
        private=private,
        message=message,
        revision=revision,
        collection=collection,
        sign=sign,
        dry_run=dry_run,
        force=force,
        report=lambda line: typer.echo(line, err=True),
    )
    if isinstance(done, PublishedFiles):
        typer.echo(f"wrote {dry_run}: {len(done.files)} files; nothing was sent")
        options.save_json(json, {"command": "publish", "files": list(done.files), "sent": False})
        return
    if done.collection:
        typer.echo(f"in the collection {done.collection}")
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
    if own.composition:
        typer.echo(f"composition: {own.composition}")
    if own.parents:
        typer.echo(f"made from or trained on: {', '.join(own.parents)}")


VERBS = (
    Verb(
        "publish",
        "Hub",
        publish,
        (
            "xadapt publish sw --repo my-name/swahili --dry-run published",
            "xadapt publish sw --repo my-name/swahili --private --sign key.pem",
        ),
    ),
)
