"""``xadapt kg align``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt.cli import launched, options
from xadapt.cli.kg.build import GRAPH_HELP
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def align(
    left: Annotated[
        str, typer.Option("--left", metavar="SOURCE", help=f"The left graph: {GRAPH_HELP}")
    ],
    right: Annotated[str, typer.Option("--right", metavar="SOURCE", help="The right graph.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="The table to write: src, tgt, score, rank and margin on each line.",
        ),
    ],
    links: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Test links: two ids and, if you like, train, dev or test on each line; or a "
            "graph that has links. Links of dev choose the weights.",
        ),
    ] = None,
    train_links: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Links that are known. Without --links, their entities are left out.",
        ),
    ] = None,
    base: options.OptionalBaseOption = None,
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    names: Annotated[
        bool,
        typer.Option(
            "--names", "--tfidf", help="Also compare the spelling of names (TF-IDF of characters)."
        ),
    ] = False,
    structure: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Structure of these graphs, by xadapt kg structure."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Weights such as names=.3,text=.5,structure=.2. Without it: the best on the links "
            "of dev, else equal ones.",
        ),
    ] = None,
    modalities: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Fuse text,structure,attributes,image, or some of them, where entities may lack "
            "any. Dev links say how each counts.",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="FILES",
            help="Vectors of images by xadapt kg images: a file for both graphs, or LEFT,RIGHT.",
        ),
    ] = None,
    impute: Annotated[
        str,
        typer.Option(metavar="HOW", help="Guess vectors that an entity lacks: none, mean, or vae."),
    ] = "none",
    pool: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="all (entities of both graphs), or test (those of test links)."
        ),
    ] = "all",
    csls: Annotated[
        int,
        typer.Option(
            metavar="K", min=0, help="Correct for hubs by CSLS with K neighbours, such as 10."
        ),
    ] = 0,
    mutual: Annotated[
        bool, typer.Option("--mutual", help="Write pairs that are nearest to each other.")
    ] = False,
    one_to_one: Annotated[
        bool,
        typer.Option(
            "--one-to-one", help="Give each right entity to one left entity, by an assignment."
        ),
    ] = False,
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="Candidates of each left entity.")
    ] = 1,
    rounds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Rounds in which mutual pairs count as linked, and structure is encoded again.",
        ),
    ] = 0,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A faiss index for very large graphs, such as faiss:IVF1024,Flat:nprobe=32.",
        ),
    ] = None,
    memory: Annotated[
        int, typer.Option(metavar="MIB", min=1, help="Vectors and scores in memory, in MiB.")
    ] = 1024,
    page: options.ReportOption = None,
    old_page: Annotated[Path | None, typer.Option("--page", dir_okay=False, hidden=True)] = None,
    allow_seen: Annotated[
        bool,
        typer.Option("--allow-seen", help="Measure modules that may have seen the test links."),
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of intervals and samples.")] = 0,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Find the same entities in two graphs, and measure it on test links."""
    options.require(
        not (mutual and one_to_one), "--mutual and --one-to-one are two ways", "Give one"
    )
    options.require_named(options.split(module), compose)
    page = page or old_page
    files = options.split(None if images is None else [images])
    reads = [left.partition(":")[2], right.partition(":")[2], links, train_links, structure,
             *options.split(module), *files]  # fmt: skip
    require_outputs((out, page), reads=reads, force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.kg_align import align_graphs
    with meter("encoding names", None) as bar:
        aligned = align_graphs(
            left,
            right,
            links=links,
            train_links=train_links,
            base=base,
            modules=options.split(module),
            compose=compose,
            names=names,
            structure=structure,
            weights=weights,
            modalities=modalities or (),
            images=files,
            impute=impute,
            out=out,
            allow_seen=allow_seen,
            dtype=dtype,
            report=lambda line: typer.echo(line, err=True),
            progress=bar.advance,
            pool=pool,
            csls=csls,
            pairing="mutual" if mutual else "one-to-one" if one_to_one else "best",
            top=top,
            rounds=rounds,
            index=index,
            memory=memory * 2**20,
            seed=seed,
        )
    if page is not None:
        from xadapt.pipelines.kg_page import write_page

        write_page(page, aligned)
    options.save_json(json, {"command": "kg align", **aligned.to_dict()})
    Console(highlight=False).print(aligned.table())
    typer.echo(f"wrote {out}")
    if page is not None:
        typer.echo(f"wrote {page}")


VERBS = (
    Verb(
        "align",
        "Graphs",
        align,
        (
            "xadapt kg align --left kg:DIR/1 --right kg:DIR/2 --links kg:DIR --names \\\n"
            "  --base mini --module ep --structure shape --out pairs.tsv",
            "xadapt kg align --left cldr:de --right cldr:en --base mini --names \\\n"
            "  --out pairs.tsv --report pairs.html",
        ),
    ),
)
