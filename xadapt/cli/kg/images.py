"""``xadapt kg images``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def images(
    table: Annotated[
        Path,
        typer.Option(
            "--images",
            metavar="FILE",
            help="A line for each image: the id of an entity, a tab, and a file in the folder of "
            "this table.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(metavar="MODEL", help="A vision model of transformers: a folder or a Hub id."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="The .safetensors file to write; the ids stand beside it in a .txt file.",
        ),
    ],
    batch: Annotated[
        int, typer.Option("--batch-size", metavar="N", min=1, help="Images encoded at a time.")
    ] = 32,
    json: options.JsonOption = None,
    force: options.ForceOption = False,
) -> None:
    """Encode images of entities by a vision model, for xadapt kg align --modalities image."""
    require_outputs((out, out.with_suffix(".txt")), reads=[table], force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.kg_images import image_vectors
    with meter("encoding images", None) as bar:
        made = image_vectors(
            table,
            model,
            out,
            batch=batch,
            report=lambda line: typer.echo(line, err=True),
            progress=bar.advance,
        )
    options.save_json(json, {"command": "kg images", **made.to_dict()})
    left_out = f", {made.left_out:,} left out" if made.left_out else ""
    typer.echo(f"{made.images:,} images of {made.dim} numbers{left_out}")
    typer.echo(f"wrote {out}")


VERBS = (
    Verb(
        "images",
        "Graphs",
        images,
        (
            "xadapt kg images --images images.tsv --model google/vit-base-patch16-224 \\\n"
            "  --out images.safetensors",
            "xadapt kg images --images photos/ja.tsv --model DIR --out ja.safetensors",
        ),
    ),
)
