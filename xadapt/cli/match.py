"""``xadapt match``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.finished import finished
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def match(
    rows: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Rows to find: a table whose header begins with id; JSON lines with id; or id, "
            "tab, text.",
        ),
    ],
    texts: Annotated[str, typer.Option(metavar="FILE", help="Texts to match, in one such form.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", dir_okay=False, help="The table to write: text, row, score and rank."
        ),
    ],
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Right matches, to measure with: id of a text, tab, id of a row."
        ),
    ] = None,
    base: options.OptionalBaseOption = None,
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language, where modules act by language.")
    ] = None,
    expand: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="A knowledge graph whose names and facts join words: kg:DIR."
        ),
    ] = None,
    compress: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Keep edges on shortest paths of so many pairs, as a share of the nodes; 0 keeps "
            "all edges.",
        ),
    ] = 0.0,
    walks: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Random walks from each row and text; 0 for none."),
    ] = 10,
    length: Annotated[int, typer.Option(metavar="N", min=2, help="Nodes of a walk.")] = 20,
    dim: Annotated[int, typer.Option(metavar="N", min=1, help="Values of a node's vector.")] = 100,
    window: Annotated[
        int, typer.Option(metavar="N", min=1, help="Nodes on each side that a node predicts.")
    ] = 5,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Passes over the walks.")] = 3,
    rate: Annotated[
        float, typer.Option(metavar="R", help="Learning rate of the nodes' vectors.")
    ] = 0.05,
    common: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share of the rows above which a word is left out."),
    ] = 0.1,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads of the walks; results are the same.")
    ] = 1,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Rows of each text.")] = 10,
    page: options.ReportOption = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of walks, vectors and intervals.")
    ] = 0,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Match texts to rows of a table by random walks, by vectors, and by both."""
    options.require_named(options.split(module), compose)
    reads = [rows, texts, gold, expand and expand.partition(":")[2], *options.split(module)]
    require_outputs((out, page), reads=reads, force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.match import match_texts
    with meter("walking and encoding", None) as bar:
        matched = match_texts(
            rows,
            texts,
            base=base,
            modules=options.split(module),
            compose=compose,
            lang=lang,
            expand_by=expand,
            gold=gold,
            out=out,
            restart=force,
            dtype=dtype,
            report=lambda line: typer.echo(line, err=True),
            progress=bar.advance,
            top=top,
            walks=walks,
            length=length,
            dim=dim,
            window=window,
            epochs=epochs,
            rate=rate,
            common=common,
            compress=compress,
            workers=workers,
            seed=seed,
        )
    finished("match", matched, (out, page), json, page)


VERBS = (
    Verb(
        "match",
        "Use",
        match,
        (
            "xadapt match --rows facts.tsv --texts claims.tsv --out matches.tsv",
            "xadapt match --rows facts.tsv --texts claims.tsv --base mini --module sw \\\n"
            "  --gold found.tsv --report best.html --out best.tsv",
        ),
        interrupted="the same command goes on from the vectors that are there",
    ),
)
