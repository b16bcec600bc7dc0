"""``xadapt export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb


def export(
    base: options.BaseOption,
    out: Annotated[Path, typer.Option(metavar="FOLDER", file_okay=False, help="Folder to make.")],
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    lang: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="The language whose module is merged, of several."),
    ] = None,
    merged: Annotated[
        bool,
        typer.Option(
            "--merged", help="Merge the modules into the base; a graph can't hold them apart."
        ),
    ] = False,
    file_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="onnx or openvino.")
    ] = "onnx",
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Export a base with merged modules for ONNX Runtime or OpenVINO, and compare it."""
    options.require(
        merged,
        "a graph holds one set of weights",
        "Add --merged; xadapt serve keeps modules apart",
    )
    options.require_named(options.split(module), compose)
    with launched.progress(f"exporting to {file_format}"):
        from xadapt.pipelines.export import export as run

        made = run(
            out,
            base=base,
            modules=options.split(module),
            compose=compose,
            lang=lang,
            file_format=file_format,
        )
    typer.echo(f"{file_format}, within {made.difference:.1e} of xadapt: {out}")
    options.save_json(
        json, {"command": "export", "format": file_format, "difference": made.difference}
    )


VERBS = (
    Verb(
        "export",
        "Serve",
        export,
        (
            "xadapt export --merged --base mini --module sw --format onnx --out sw-onnx",
            "xadapt export --merged --base mini --module sw,de \\\n"
            "  --compose 'mix(sw:.5, de:.5)' --out mixed-onnx",
        ),
    ),
)
