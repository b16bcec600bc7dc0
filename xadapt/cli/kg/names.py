"""``xadapt kg names``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xadapt.cli import launched, options
from xadapt.cli.finished import finished
from xadapt.cli.verbs import Verb
from xadapt.core.output_files import require_outputs


def names(
    lang: Annotated[str, typer.Option(metavar="TAG", help="Language of the names.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="JSON lines to write: each entity with its names, their votes and sources.",
        ),
    ],
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Names that one source gives: JSON lines as in WikiKGE-10, or id, tab, name; or "
            f"a graph such as kg:DIR. {options.SEVERAL}",
        ),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="A graph with names of the entities in other languages, for --translator and "
            "--pool.",
        ),
    ] = None,
    from_langs: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="TAGS",
            help="Languages of the graph to take names from. Without it: all others. "
            f"{options.SEVERAL}",
        ),
    ] = None,
    translator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRANSLATOR",
            help="A translator of these names, as of xadapt translate; each language it translates "
            "from is a source. Several: repeat the option.",
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Names in the language, or a graph, to retrieve from by vectors: one more source.",
        ),
    ] = None,
    base: options.OptionalBaseOption = None,
    module: options.ModuleOption = None,
    compose: options.ComposeOption = None,
    least: Annotated[
        float, typer.Option(metavar="COSINE", help="Least cosine of a retrieved name.")
    ] = 0.8,
    merge: Annotated[
        float,
        typer.Option(
            metavar="COSINE",
            help="Names of one entity at least so alike share their votes; 0 for equal ones alone.",
        ),
    ] = 0.0,
    min_votes: Annotated[
        int, typer.Option("--min-votes", metavar="N", min=1, help="Votes a written name needs.")
    ] = 2,
    scored: Annotated[
        bool,
        typer.Option("--scored", help="A file gives as many votes as its score of a name, not 1."),
    ] = False,
    gold: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Names that people checked, to measure with: JSON lines with correct_values and "
            "incorrect_values.",
        ),
    ] = None,
    confirms: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Votes that keep a checked name from being flagged."),
    ] = 1,
    page: options.ReportOption = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
    force: options.ForceOption = False,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Vote the names of entities in a language over sources, and check known names."""
    options.require_named(options.split(module), compose)
    given = options.split(source)
    reads = [*given, graph and graph.partition(":")[2], pool, gold, *options.split(module)]
    reads += [one.removeprefix("file:") for one in translator or ()]
    require_outputs((out, page), reads=reads, force=force, json=json)
    with launched.progress("starting"):
        from xadapt.core.progress import meter
        from xadapt.pipelines.kg_names import vote_names
    with meter("translating and encoding names", None) as bar:
        voted = vote_names(
            given,
            lang=lang,
            graph=graph,
            from_langs=options.tags(from_langs),
            translators=list(translator or ()),
            pool=pool,
            base=base,
            modules=options.split(module),
            compose=compose,
            gold=gold,
            out=out,
            restart=force,
            dtype=dtype,
            report=lambda line: typer.echo(line, err=True),
            progress=bar.advance,
            min_votes=min_votes,
            confirms=confirms,
            scored=scored,
            merge=merge,
            least=least,
        )
    finished("kg names", voted, (out, page), json, page)


VERBS = (
    Verb(
        "names",
        "Graphs",
        names,
        (
            "xadapt kg names --lang de --source a=gpt.jsonl,b=mt.tsv --out names.jsonl \\\n"
            "  --gold checked.jsonl --report names.html",
            "xadapt kg names --lang de --source a=gpt.jsonl --graph kg:DIR --from en \\\n"
            "  --translator apertium --pool kg:NAMES --base mini --out names.jsonl",
        ),
        interrupted="the same command goes on from translations and vectors that are there",
    ),
)
