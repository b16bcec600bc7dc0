"""``xadapt evaluate``: one subcommand a task."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from xadapt import assess, languages
from xadapt.backbones.encoder import Encoder
from xadapt.cli import options, tables
from xadapt.errors import UserError
from xadapt.hub.opening import read_manifest
from xadapt.readers.cldr_graph import Graph, build, resolve
from xadapt.records_in import Source, read_pairs

app = typer.Typer(help="Measure a base or a module, with controls.", no_args_is_help=True)

LangOption = Annotated[
    str | None, typer.Option(help="Language of the texts; known from the module if there is one.")
]
ControlsOption = Annotated[
    bool, typer.Option(help="Add TF-IDF, and the shuffled-pairs twin if it was trained.")
]
OneModule = Annotated[str | None, typer.Option("--module", help="Folder of a module.")]


@app.command()
def bitext(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="Parallel text the module has not seen.")],
    module: OneModule = None,
    lang: LangOption = None,
    controls: ControlsOption = False,
    columns: options.ColumnsOption = None,
    file_format: options.FormatOption = None,
    pivot: options.PivotOption = "en",
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    json: options.JsonOption = None,
) -> None:
    """Sentence retrieval both ways: accuracy with intervals, and xsim by margin."""
    tag = _language(lang, module)
    pairs = read_pairs(Source(data, tag, pivot, columns, file_format), None)
    encoder = Encoder.from_pretrained(base, dtype=dtype)
    trained, twin = assess.open_both(module, encoder, controls)
    result = assess.judge_bitext(assess.Bench(encoder), pairs, trained, twin, controls=controls)
    Console(highlight=False).print(tables.bitext_table(result))
    options.save_json(json, {**result.to_dict(), "base": base, "lang": tag})


@app.command()
def entities(
    base: options.BaseOption,
    data: Annotated[
        str, typer.Option(help="cldr, or a table of names like parallel text.")
    ] = "cldr",
    module: OneModule = None,
    lang: LangOption = None,
    pool: Annotated[
        str, typer.Option(help="test: among the test entities; all: among all.")
    ] = "all",
    controls: ControlsOption = False,
    columns: options.ColumnsOption = None,
    pivot: options.PivotOption = "en",
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    json: options.JsonOption = None,
) -> None:
    """Entity alignment by name, both ways: Hits@1/10, MRR with fair ties, and CSLS."""
    options.require(pool in ("test", "all"), f"--pool is test or all, not {pool!r}")
    tag = _language(lang, module)
    if data == "cldr":
        labels, others = graph_labels(tag, pivot, pool)
    else:
        pairs = read_pairs(Source(data, tag, pivot, columns), None)
        labels, others = [(str(i), p.text, p.pivot) for i, p in enumerate(pairs)], []
    encoder = Encoder.from_pretrained(base, dtype=dtype)
    trained, twin = assess.open_both(module, encoder, controls)
    result = assess.judge_entities(
        assess.Bench(encoder), labels, others, trained, twin, controls=controls
    )
    Console(highlight=False).print(tables.entities_table(result, tag, pivot))
    options.save_json(json, {**result.to_dict(), "base": base, "lang": tag, "data": data})


Labels = list[tuple[str, str, str]]


def graph_labels(tag: str, pivot: str, pool: str) -> tuple[Labels, Labels]:
    """Test entities of the CLDR graph with both names, and those that fill the pool."""
    graph = build((resolve(tag), resolve(pivot)))
    test = _named(graph, tag, pivot, "test")
    rest = _named(graph, tag, pivot, "train") + _named(graph, tag, pivot, "dev")
    return test, rest if pool == "all" else []


def _named(graph: Graph, tag: str, pivot: str, part: str) -> Labels:
    pairs = graph.pairs(tag, pivot, part, drop_copies=part == "test")  # type: ignore[arg-type]
    return [(pair.origin, pair.text, pair.pivot) for pair in pairs]


def _language(lang: str | None, module: str | None) -> str:
    if lang is not None:
        return languages.normalise(lang)
    if module is None:
        raise UserError("the language of the texts is not known", todo="Name it with --lang")
    known = read_manifest(module).languages
    if len(known) != 1:
        raise UserError(
            f"the module is for {', '.join(known)}", where=module, todo="Choose one with --lang"
        )
    return known[0]
