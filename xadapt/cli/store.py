"""``xadapt store``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import options
from xadapt.cli.verbs import Verb

TABLE = "xadapt"
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="STORE",
        help="Also write the vectors into a vector store: lancedb:FOLDER, qdrant:URL or "
        "pgvector:DSN.",
    ),
]
TableOption = Annotated[
    str, typer.Option("--table", metavar="NAME", help="Table or collection of the vector store.")
]


def store(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of xadapt index or encode --shards.")
    ],
    to: Annotated[
        str,
        typer.Option(metavar="STORE", help="lancedb:FOLDER, qdrant:URL or pgvector:DSN."),
    ],
    table: TableOption = TABLE,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The texts, one a line, for vectors that are no index of passages."
        ),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """Write vectors into a vector store; the same command goes on after an interruption.

    A row replaces the row of the same id: that of its passage, or else the number of the vector.
    """
    found = fill(folder, to, table, text)
    options.save_json(json, {"command": "store", **found})


def fill(folder: Path, to: str, table: str, text: str | None = None) -> dict[str, int]:
    """Write the vectors of a folder into a store, with a bar."""
    from xadapt.core.progress import meter
    from xadapt.inference.storing import fill_store
    from xadapt.vectors.index import read_index

    with meter("storing", read_index(folder).rows) as bar:
        made = fill_store(folder, to, table=table, texts=text, progress=bar.advance)
    typer.echo(f"{made.written} of {made.rows} rows written, {made.there} in {table}")
    return {"rows": made.rows, "written": made.written, "there": made.there}


VERBS = (
    Verb(
        "store",
        "Serve",
        store,
        (
            "xadapt store wiki-index --to lancedb:wiki-store",
            "xadapt store wiki-index --to qdrant:wiki-qdrant --table wiki",
        ),
        interrupted="the same command goes on after the rows that were written",
    ),
)
