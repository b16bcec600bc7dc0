"""``xadapt align-words``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_output


def align_words(
    base: options.BaseOption,
    data: Annotated[
        str,
        typer.Option(
            metavar="SOURCE",
            help="Sentence pairs, a line each: tab-separated, 'left ||| right', LEFT,RIGHT, or "
            ".jsonl with source and target. Words are separated by spaces.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", dir_okay=False, help="The file to write: a line a pair, 0-0 1-2."
        ),
    ],
    module: options.ModuleOption = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="The language being adapted.")
    ] = None,
    compose: options.ComposeOption = None,
    pivot: options.PivotOption = None,
    first: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            help="Language of the first sentences. Without it: by the file's name, such as "
            "ja-en.tsv, else the pivot.",
        ),
    ] = None,
    language_side: Annotated[
        bool, typer.Option("--language-side", help="The bare base encodes the pivot side.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Columns of both sentences, from 1 (default: 1,2)."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="argmax (default), itermax, softmax or transport."),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Layers before the states. Without it: two thirds of the base's.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="X", help="Threshold of softmax and transport (default: .1)."),
    ] = None,
    similarity: Annotated[
        str | None, typer.Option(metavar="NAME", help="cosine (default), or dot for softmax.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(metavar="X", help="Divisor of softmax (default: .05).")
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="pieces (default), or words: the mean of their pieces."),
    ] = None,
    dtype: options.DtypeOption = "auto",
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Link the words of translations, and write the links as Pharaoh does."""
    options.require_named(options.split(module), compose)
    require_output(out, reads=[data, *data.split(",")], force=force)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.align_words import align
    with meter("aligning", None) as bar:
        align(
            data,
            base=base,
            modules=options.split(module),
            lang=lang,
            pivot=pivot or options.PIVOT,
            first=first,
            compose=compose,
            sides="language" if language_side else "both",
            out=out,
            columns=_columns(columns),
            dtype=dtype,
            progress=bar.advance,
            method=method,
            layer=layer,
            threshold=threshold,
            similarity=similarity,
            temperature=temperature,
            units=units,
        )
    typer.echo(f"links: {out}")


def _columns(given: str | None) -> tuple[int, int]:
    if given is None:
        return 1, 2
    parts = given.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and int(part) for part in parts):
        raise UserError(
            f"{given!r} are not two columns", where="--columns", todo="Write two numbers from 1"
        )
    return int(parts[0]), int(parts[1])


VERBS = (
    Verb(
        "align-words",
        "Use",
        align_words,
        (
            "xadapt align-words --base mini --data pairs.tsv --out links.txt",
            "xadapt align-words --base mini --module sw --data pairs.tsv --out sw.links \\\n"
            "  --method itermax --layer 4",
        ),
    ),
)
