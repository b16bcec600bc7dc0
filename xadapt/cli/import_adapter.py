"""``xadapt import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli import training_options as shared
from xadapt.cli.verbs import Verb


def import_adapter(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR|ORG/NAME",
            help="A LoRA of peft or an adapter of adapters: a folder or a Hub id.",
        ),
    ],
    base: options.BaseOption,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to make (default: NAME-xadapt)."),
    ] = None,
    lang: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help=f"Language that it is for; without any, it acts on all rows. {options.SEVERAL}",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="The labels of a token classifier of peft, in order: peft does not save them.",
        ),
    ] = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle", help="Also read pickled tensors, by a reader that runs no code."
        ),
    ] = False,
    base_id: shared.BaseIdOption = None,
    licence: shared.LicenceOption = None,
    loaders: options.LoadersOption = None,
    json: options.JsonOption = None,
) -> None:
    """Import an adapter of peft or of AdapterHub: exactly, or not at all."""
    with launched.progress("starting"):
        from xadapt import integrations
        from xadapt.hub.loaders import loaders_of
        from xadapt.pipelines.import_module import import_module
    wanted = loaders_of(loaders)
    name = source.rstrip("/").partition("@")[0].rpartition("/")[2] or "adapter"
    with launched.progress("reading, and comparing with its library"):
        done = import_module(
            source,
            base=base,
            out=out or Path(f"{name}-xadapt"),
            verify=integrations.compare_loaders,
            compare=integrations.compare_origin,
            languages=options.tags(lang) if lang else (),
            labels=[label.strip() for label in labels.split(",")] if labels else None,
            allow_pickle=allow_pickle,
            base_id=base_id,
            licence=licence,
            loaders=wanted,
            report=lambda line: typer.echo(line, err=True),
        )
    origin = done.manifest.origin
    if origin is not None and origin.max_difference is not None:
        typer.echo(
            f"verified with {origin.library} {origin.compared_with}: hidden states differ by at "
            f"most {origin.max_difference:.1g}"
        )
    typer.echo(f"wrote {done.folder}")
    options.save_json(json, {"command": "import", **done.to_dict()})


VERBS = (
    Verb(
        "import",
        "Use",
        import_adapter,
        (
            "xadapt import peft-lora --base mini --lang sw --out imported",
            "xadapt import peft-lora --base mini --loaders none --json import.json",
        ),
    ),
)
