"""``xadapt kg structure``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt.cli import launched, options
from xadapt.cli.kg.build import GRAPH_HELP
from xadapt.cli.verbs import Verb


def structure(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make.")],
    graph: Annotated[
        str | None,
        typer.Option("--graph", metavar="SOURCE", help=f"A graph to complete: {GRAPH_HELP}"),
    ] = None,
    left: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="The left of two graphs to align.")
    ] = None,
    right: Annotated[str | None, typer.Option(metavar="SOURCE", help="The right graph.")] = None,
    links: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Links of both graphs: two ids and, if you like, train, dev or test on each line; "
            "or a graph that has links. Where they have parts, those of train alone join the "
            "graphs.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="To complete: a model of PyKEEN, such as TransE (default), RotatE, ComplEx or "
            "CompGCN.",
        ),
    ] = None,
    dim: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Numbers of a vector (64), or of a label (256)."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="To complete: most epochs (60).")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="X", help="To complete: learning rate (.01).")
    ] = None,
    negatives: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="To complete: drawn negatives of a fact (32)."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="To align: most rounds of self-training (4)."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of everything random.")] = 0,
    json: options.JsonOption = None,
) -> None:
    """Learn the structure of a graph to complete, or of two graphs to align.

    To complete, PyKEEN trains a model on the training facts; facts of dev stop the training. To
    align, labels of training links flow along the facts of both graphs.
    """
    with launched.progress("learning the structure"):
        from xadapt.pipelines.kg_structure import train_structure

        made = train_structure(
            out,
            graph=graph,
            left=left,
            right=right,
            links=links,
            report=lambda line: typer.echo(line, err=True),
            model=model,
            dim=dim,
            epochs=epochs,
            learning_rate=learning_rate,
            negatives=negatives,
            rounds=rounds,
            seed=seed,
        )
    options.save_json(json, {"command": "kg structure", **made.to_dict()})
    Console(highlight=False).print(made.table())
    typer.echo(f"wrote {out}")


VERBS = (
    Verb(
        "structure",
        "Graphs",
        structure,
        (
            "xadapt kg structure --graph kg:DIR/ja --model TransE --out ja-transe",
            "xadapt kg structure --left kg:DIR/1 --right kg:DIR/2 --links kg:DIR \\\n  --out shape",
        ),
    ),
)
