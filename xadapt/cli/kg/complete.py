"""``xadapt kg complete``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt.cli import launched, options
from xadapt.cli.kg.build import GRAPH_HELP
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def complete(
    graph: Annotated[str, typer.Option("--graph", metavar="SOURCE", help=GRAPH_HELP)],
    queries: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Head, relation and tail on each line, separated by tabs, with ? for the asked "
            "one; two columns ask for the tail. Ids, or names that no other entity has.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="The table of answers to write."),
    ] = None,
    base: options.OptionalBaseOption = None,
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    structure: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Structure of this graph, by xadapt kg structure --graph."
        ),
    ] = None,
    frequency: Annotated[
        bool,
        typer.Option(
            "--frequency",
            help="Also count how often an entity answers the relation; alone without other views.",
        ),
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Weights such as text=.3,structure=.7. Without it: the best on the dev facts.",
        ),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language of the names, if there are several.")
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Answers of each query.")] = 10,
    keep_known: Annotated[
        bool, typer.Option("--keep-known", help="Keep facts that the graph has already.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of drawing dev facts.")] = 0,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Rank the entities that complete facts of a graph."""
    options.require_named(options.split(module), compose)
    reads = [graph.partition(":")[2], queries, structure, *options.split(module)]
    require_outputs((out,), reads=reads, force=force, json=json)
    with launched.progress("completing the graph"):
        from xadapt.pipelines.kg_complete import complete_graph

        completed = complete_graph(
            graph,
            queries,
            base=base,
            modules=options.split(module),
            compose=compose,
            structure=structure,
            frequency=frequency,
            weights=weights,
            lang=lang,
            top=top,
            keep_known=keep_known,
            out=out,
            dtype=dtype,
            seed=seed,
            report=lambda line: typer.echo(line, err=True),
        )
    options.save_json(json, {"command": "kg complete", **completed.to_dict()})
    Console(highlight=False).print(completed.table())
    if out is not None:
        typer.echo(f"wrote {out}")


VERBS = (
    Verb(
        "complete",
        "Graphs",
        complete,
        (
            "xadapt kg complete --graph kg:DIR/ja --queries asked.tsv --out answers.tsv",
            "xadapt kg complete --graph kg:DIR/ja --queries asked.tsv --base mini \\\n"
            "  --module tp --structure ja-transe --json answers.json",
        ),
    ),
)
