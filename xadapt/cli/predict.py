"""``xadapt predict``: labels and scores of a task head, one JSON line for each text or pair."""

from __future__ import annotations

import heapq
import json
from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb
from xadapt.composition.text import parse
from xadapt.composition.values import names
from xadapt.core.files import atomic_file
from xadapt.core.output_files import require_output


def predict(
    task: Annotated[
        str,
        typer.Argument(help="classification, multi_label, pair_classification or passage_filter."),
    ],
    base: options.BaseOption,
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Texts, or pairs of texts: lines, TSV, CSV, JSON lines, Parquet, hf:org/name.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", dir_okay=False, help="The .jsonl file to write.")
    ],
    module: options.ModuleOption = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Language of the texts, for a composition.")
    ] = None,
    compose: options.ComposeOption = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The module whose head is read, if several have one."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Columns of the texts, by name or number, such as 2,3."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="For passage_filter: write the N best rated texts alone."
        ),
    ] = None,
    dtype: options.DtypeOption = "auto",
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Predict labels and their probabilities for texts or pairs without labels."""
    modules = options.split(module)
    options.require_named(modules, compose)
    options.require(
        keep is None or task == "passage_filter", "--keep is for passage_filter", "Leave it out"
    )
    folders = [] if compose is None else names(parse(compose))
    require_output(out, reads=(data, base, *modules, *folders), force=force)
    with launched.progress("starting"):
        from xadapt.tasks.run_prediction import predict as answers

    found = answers(
        task,
        data,
        base=base,
        modules=modules,
        lang=lang,
        compose=compose,
        head=head,
        columns=columns,
        dtype=dtype,
    )
    if keep is not None:
        best = heapq.nlargest(keep, enumerate(found), key=lambda one: (one[1]["rating"], -one[0]))
        found = iter([answer for _, answer in sorted(best, key=lambda one: one[0])])
    count = 0
    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for answer in found:
            stream.write(json.dumps(answer, ensure_ascii=False) + "\n")
            count += 1
    typer.echo(f"{count} answers: {out}")


VERBS = (
    Verb(
        "predict",
        "Use",
        predict,
        (
            "xadapt predict classification --base mini --module topics --data texts.txt \\\n"
            "  --out labels.jsonl",
            "xadapt predict passage_filter --base mini --module filter --data texts.txt \\\n"
            "  --keep 2500 --out best.jsonl",
        ),
    ),
)
