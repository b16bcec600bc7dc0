"""``xadapt compose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import options


def compose(
    expression: Annotated[str, typer.Argument(help="Such as 'mix(a:.7, b:.3)' or 'lang + ner'.")],
    base: options.BaseOption,
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    module: options.ModuleOption = None,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Cut the one LoRA to this rank; says what is lost.")
    ] = None,
    apart: Annotated[
        bool, typer.Option("--apart", help="Keep LoRAs apart that could be one.")
    ] = False,
    merged: Annotated[
        bool, typer.Option("--merged", help="Write the whole base with the LoRA in its weights.")
    ] = False,
    soup: Annotated[
        bool, typer.Option("--soup", help="Average the parameters instead: one module of any kind.")
    ] = False,
) -> None:
    """Make one folder of modules that act together: a plain LoRA where that is exact."""
    from xadapt import bridges, composing

    composing.compose(
        expression,
        base=base,
        folders=options.split(module),
        out=out,
        verify=bridges.compare_loaders,
        rank=rank,
        apart=apart,
        merged=merged,
        averaged=soup,
        say=typer.echo,
    )
