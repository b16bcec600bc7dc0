"""``xadapt kg judge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt.cli import launched, options
from xadapt.cli.annotate import MODEL_HELP, ConcurrencyOption, KeyOption, PriceOption, told
from xadapt.cli.kg.build import GRAPH_HELP
from xadapt.cli.verbs import Verb
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_output


def judge(
    candidates: Annotated[
        str,
        typer.Option(
            "--candidates",
            metavar="FILE",
            help="The table of xadapt kg align --top N: left id and right id on each line, the "
            "best candidate of an entity first.",
        ),
    ],
    left: Annotated[
        str, typer.Option("--left", metavar="SOURCE", help=f"The left graph: {GRAPH_HELP}")
    ],
    right: Annotated[str, typer.Option("--right", metavar="SOURCE", help="The right graph.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="JSON lines to write: each entity with its answer and all votes. The same command "
            "goes on after an interruption.",
        ),
    ],
    llm: Annotated[
        list[str] | None,
        typer.Option(
            "--llm", metavar="MODEL", help=f"A voter. {MODEL_HELP} Several: repeat the option."
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="BASE", help=options.BASE_HELP)
    ] = None,
    module: Annotated[
        list[str] | None,
        typer.Option(
            "--module",
            metavar="FOLDER",
            help=f"A module that votes by the cosine of names. {options.SEVERAL}",
        ),
    ] = None,
    reranker: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            help="A module of pair_classification (same, other) that votes by names and facts.",
        ),
    ] = None,
    links: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Test links to measure with. No voter reads them."),
    ] = None,
    top: Annotated[int, typer.Option(metavar="K", help="Candidates of each entity.")] = 10,
    rounds: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Rounds in which a language model is asked, an odd number; candidates move in the "
            "list by a Latin square.",
        ),
    ] = 5,
    facts: Annotated[
        int, typer.Option(metavar="N", min=0, help="Facts of each entity that a model reads.")
    ] = 6,
    identify: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What makes a fact identify: functionality (few values of an entity) or values "
            "(few entities of a value).",
        ),
    ] = "functionality",
    no_names: Annotated[
        bool, typer.Option("--no-names", help="Don't show names to language models.")
    ] = False,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="Judge the first N entities; 0 for all.")
    ] = 0,
    page: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            dir_okay=False,
            help="Also write a page to look through the answers, mark them and export links.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of orders and intervals.")] = 0,
    concurrency: ConcurrencyOption = 8,
    api_key_env: KeyOption = None,
    price: PriceOption = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Choose among candidates of an alignment by votes, or abstain."""
    models, modules = llm or [], options.split(module)
    reads = [candidates, left.partition(":")[2], right.partition(":")[2], links, reranker,
             *modules, *(one.removeprefix("file:") for one in models)]  # fmt: skip
    written = [path for path in (out, page) if path is not None]
    for path in written:
        require_output(path, reads=reads, force=force)
    if len({path.resolve() for path in written}) < len(written):
        raise UserError("two outputs are one file", where=str(out), todo="Name another")
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.integrations.language_models.client import parse_price
        from xadapt.pipelines.kg_judge import judge_candidates
    with meter("judging entities", None) as bar:
        judged = judge_candidates(
            candidates,
            left,
            right,
            models=models,
            base=base,
            modules=modules,
            reranker=reranker,
            links=links,
            out=out,
            key_env=options.split(api_key_env),
            price=None if price is None else parse_price(price),
            workers=concurrency,
            dtype=dtype,
            report=lambda line: typer.echo(line, err=True),
            progress=bar.advance,
            top=top,
            rounds=rounds,
            facts=facts,
            identify=identify,
            names=not no_names,
            limit=limit,
            seed=seed,
        )
    if page is not None:
        judged.write_page(page)
    options.save_json(json, {"command": "kg judge", **judged.to_dict()})
    Console(highlight=False).print(judged.table())
    for model in judged.models:
        typer.echo(told(model), err=True)
    for path in written:
        typer.echo(f"wrote {path}")


VERBS = (
    Verb(
        "judge",
        "Graphs",
        judge,
        (
            "xadapt kg judge --candidates pairs.tsv --left kg:DIR/ja --right kg:DIR/en \\\n"
            "  --llm openai:MODEL@http://localhost:8000/v1 --out judged.jsonl",
            "xadapt kg judge --candidates pairs.tsv --left kg:DIR/ja --right kg:DIR/en \\\n"
            "  --base mini --module ep,es,other --links kg:DIR --out judged.jsonl",
        ),
        interrupted="the same command goes on where it stopped",
    ),
)
