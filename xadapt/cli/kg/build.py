"""``xadapt kg build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb

GRAPH_HELP = (
    "dbp15k:DIR, openea:DIR, dbp5l:DIR/LANGUAGE, wikidata:DIR, ntriples:FILE, wikikge:DIR, kg:DIR "
    "or cldr (see: xadapt list graphs)."
)


def build(
    graph: Annotated[str, typer.Option("--graph", metavar="SOURCE", help=GRAPH_HELP)],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make.")],
    links: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Links: two ids and, if you like, train, dev or test on each line, separated by "
            "tabs; or a graph that has links. Without it: those of the graph.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="TRAIN/DEV/TEST",
            help="Percent of the links for each part, by connected component. Without it: the "
            "parts that the links have, else 30/10/60.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the split.")] = 0,
    lang: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG", help=f"Languages of names to keep (default: all). {options.SEVERAL}"
        ),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """Make tables of names, facts and links of a knowledge graph, with parts without leaks."""
    with launched.progress("building the graph"):
        from xadapt.pipelines.kg_build import build_graph

        made = build_graph(
            graph,
            out,
            links=links,
            split=split,
            seed=seed,
            langs=options.split(lang) or None,
        )
    options.save_json(json, {"command": "kg build", **made.to_dict()})
    typer.echo(str(made))
    typer.echo(f"wrote {out}; read it as kg:{out}")


VERBS = (
    Verb(
        "build",
        "Graphs",
        build,
        (
            "xadapt kg build --graph cldr --lang sw,en --out cldr-sw",
            "xadapt kg build --graph dbp5l:dbp5l --split 30/0/70 --seed 1 --out graph",
        ),
    ),
)
