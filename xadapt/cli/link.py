"""``xadapt link``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.finished import finished
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def link(
    mentions: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Mentions: a text and perhaps its concept on each line; a table of mentions in "
            f"sentences; BRAT files or a folder of them; JSON lines of BigBIO. {options.SEVERAL}",
        ),
    ],
    names: Annotated[
        list[str],
        typer.Option(
            metavar="TAG=FILE",
            help="Names of concepts in a language: concept, tab, name; JSON lines of xMEN; a file "
            f"of mentions; or a graph such as en=kg:DIR. {options.SEVERAL}",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="JSON lines to write: each mention with its candidates. The same command goes on "
            "after an interruption.",
        ),
    ],
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language of mentions that name none.")
    ] = None,
    base: options.OptionalBaseOption = None,
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    no_spelling: Annotated[
        bool, typer.Option("--no-spelling", help="Compare vectors alone, not spelling (TF-IDF).")
    ] = False,
    ensemble: Annotated[
        str,
        typer.Option(metavar="NAME", help="mean or max of the cosines of spelling and vectors."),
    ] = "mean",
    weight: Annotated[
        float, typer.Option(metavar="W", help="Weight of vectors in the mean, from 0 to 1.")
    ] = 0.5,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Candidates of each mention.")] = 10,
    reranker: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            help="A module of candidate_ranking or pair_classification, trained on what --pairs "
            "writes.",
        ),
    ] = None,
    rerank_weight: Annotated[
        float | None,
        typer.Option(
            "--rerank-weight",
            metavar="W",
            help="Weight of the re-ranker, from 0 to 1; by default that of --dev, or 0.5.",
        ),
    ] = None,
    nil: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="No concept is the answer if the best score (with a re-ranker: the best "
            'probability) is below this; by default that of --dev, or where "none" is likeliest.',
        ),
    ] = None,
    dev: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Mentions with their concepts by which --rerank-weight and --nil are chosen. "
            f"{options.SEVERAL}",
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Also write data to train a re-ranker on, from mentions with their concepts: "
            ".jsonl for candidate_ranking, else for pair_classification.",
        ),
    ] = None,
    page: options.ReportOption = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Link mentions to concepts by their names, in any language; goes on after a cut."""
    options.require_named(options.split(module), compose)
    given, sources = options.split(mentions), options.split(names)
    held = options.split(dev)
    reads = [*given, *sources, *held, *options.split(module), reranker]
    require_outputs((out, pairs, page), reads=reads, force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.kg_link import link_mentions
    with meter("encoding names and linking mentions", None) as bar:
        linked = link_mentions(
            given,
            sources,
            lang=lang,
            base=base,
            modules=options.split(module),
            compose=compose,
            reranker=reranker,
            dev=held,
            pairs=pairs,
            out=out,
            restart=force,
            dtype=dtype,
            report=lambda line: typer.echo(line, err=True),
            progress=bar.advance,
            top=top,
            spelling=not no_spelling,
            ensemble=ensemble,
            weight=weight,
            rerank_weight=rerank_weight,
            nil=nil,
        )
    finished("link", linked, (out, pairs, page), json, page)


VERBS = (
    Verb(
        "link",
        "Use",
        link,
        (
            "xadapt link --mentions notes.tsv --lang sw --names en=terms.tsv \\\n"
            "  --base mini --module sw --out linked.jsonl",
            "xadapt link --mentions brat --names en=terms.tsv,es=umls.jsonl \\\n"
            "  --out marked.jsonl --pairs learn.jsonl --report marked.html",
        ),
        interrupted="the same command goes on where it stopped",
    ),
)
