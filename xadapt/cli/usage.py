"""``xadapt usage``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from xadapt.cli import launched, options
from xadapt.cli.encode import read_tags, read_texts
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_output


def usage(
    base: options.BaseOption,
    text: Annotated[
        str,
        typer.Option(metavar="FILE", help="File with one text a line, or - for standard input."),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", dir_okay=False, help="The .svg, .png or .pdf file to draw."),
    ],
    module: options.ModuleOption = None,
    languages: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File with one language tag a line, for each text."),
    ] = None,
    lang: Annotated[str | None, typer.Option(metavar="TAG", help="Language of all texts.")] = None,
    compose: options.ComposeOption = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Draw which modules the router of a mixture uses, by layer, site and language."""
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.inference.adapted_encoder import AdaptedEncoder
        from xadapt.inference.usage import measure_usage
        from xadapt.report.usage import check_format, save_usage

    check_format(out)
    apart = json is None or json.resolve() != out.resolve()
    options.require(apart, "--json and --out are one file")
    options.require_named(options.split(module), compose)
    require_output(out, reads=(text, languages, base, *options.split(module)), force=force)
    texts = read_texts(text)
    tags = read_tags(languages, lang, len(texts))
    with launched.progress(f"loading {base}"):
        adapted = AdaptedEncoder.load(base, *options.split(module), compose=compose, dtype=dtype)
    with meter("encoding", len(texts)) as bar:
        found = measure_usage(adapted, texts, tags, bar.advance)
    with launched.progress("drawing"):
        save_usage(out, found)
    options.save_json(json, {"texts": len(texts), "usage": [one.to_dict() for one in found]})
    for one in found:
        table = Table(one.router, *one.experts, box=box.SIMPLE_HEAD)
        for tag in one.languages:
            table.add_row(tag, *(f"{weight:.3f}" for weight in one.mean(tag)[""]))
        Console(highlight=False).print(table)


VERBS = (
    Verb(
        "usage",
        "Evaluate",
        usage,
        (
            "xadapt usage --base mini --module sw,de --compose 'route(arrow; sw, de)' \\\n"
            "  --text texts.txt --out usage.png",
            "xadapt usage --base mini --module sw,de --compose 'route(arrow; sw, de)' \\\n"
            "  --text texts.txt --lang sw --out usage.svg --json usage.json",
        ),
    ),
)
