"""``xadapt evaluate``: one subcommand a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from xadapt import languages
from xadapt.cli import options

app = typer.Typer(help="Measure a base or a module, with controls.", rich_markup_mode=None)

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
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Sentence retrieval both ways: accuracy with intervals, and xsim by margin."""
    _measure(
        "bitext",
        json,
        base=base,
        data=data,
        module=module,
        lang=lang,
        pivot=pivot,
        columns=columns,
        file_format=file_format,
        controls=controls,
        dtype=dtype,
    )


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
    file_format: options.FormatOption = None,
    pivot: options.PivotOption = "en",
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Entity alignment by name, both ways: Hits@1/10, MRR with fair ties, and CSLS."""
    options.require(pool in ("test", "all"), f"--pool is test or all, not {pool!r}")
    _measure(
        "entities",
        json,
        base=base,
        data=data,
        module=module,
        lang=lang,
        pivot=pivot,
        columns=columns,
        file_format=file_format,
        pool=pool,
        controls=controls,
        dtype=dtype,
    )


@app.command()
def tagging(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="Sentences with labels the module has not seen.")],
    module: options.ModuleOption = None,
    compose: Annotated[
        str | None, typer.Option(help="Modules that act together: 'language + task'.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Another composition, to tell the difference to.")
    ] = None,
    lang: LangOption = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="conll (BIO columns) or conllu.")
    ] = None,
    emea: Annotated[
        int, typer.Option(min=0, help="Steps for 'route(emea; a, b) + task': weights by sentence.")
    ] = 0,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Labels of words: F1 of exact spans, or accuracy, with intervals over sentences."""
    from xadapt import verbs
    from xadapt.cli import tables

    result = verbs.evaluate_tagging(
        base=base,
        data=data,
        modules=options.split(module),
        lang=lang,
        compose=compose,
        against=against,
        file_format=file_format,
        emea=emea,
        dtype=dtype,
        say=_note,
    )
    Console(highlight=False).print(tables.tagging_table(result))
    named = {"base": base, "lang": lang, "data": Path(data).name}
    options.save_json(json, {**result.to_dict(), **named})


@app.command("open_ie")
def open_ie(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="CoNLL-U with trees the modules have not seen.")],
    predicates: Annotated[list[str], typer.Option(help="Folder of the predicate tagger.")],
    arguments: Annotated[list[str], typer.Option(help="Folder of the argument tagger.")],
    lang: LangOption = None,
    compose_predicates: Annotated[
        str | None, typer.Option(help="Modules that act on predicates: 'language + task'.")
    ] = None,
    compose_arguments: Annotated[
        str | None, typer.Option(help="Modules that act on arguments.")
    ] = None,
    against_predicates: Annotated[
        str | None, typer.Option(help="Another predicate tagger, to tell the difference to.")
    ] = None,
    against_arguments: Annotated[
        str | None, typer.Option(help="Another argument tagger, likewise.")
    ] = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Open triples: F1 of predicates, arguments and whole triples, gold by rule from trees."""
    from xadapt import verbs
    from xadapt.cli import tables

    result = verbs.evaluate_open_ie(
        base=base,
        data=data,
        predicates=options.split(predicates),
        arguments=options.split(arguments),
        lang=lang,
        compose_predicates=compose_predicates,
        compose_arguments=compose_arguments,
        against_predicates=against_predicates,
        against_arguments=against_arguments,
        dtype=dtype,
    )
    Console(highlight=False).print(tables.open_ie_table(result))
    named = {"base": base, "lang": lang, "data": Path(data).name}
    options.save_json(json, {**result.to_dict(), **named})


def _note(line: str) -> None:
    typer.echo(line, err=True)


def _measure(task: Literal["bitext", "entities"], json: Path | None, **given: Any) -> None:
    """Measure, show the table, and write the result for machines."""
    from xadapt import verbs
    from xadapt.cli import tables

    result = verbs.evaluate(task, say=_note, **given)
    tag = verbs.language_of(given["lang"], given["module"])
    pivot = languages.normalise(given["pivot"])
    Console(highlight=False).print(tables.result_table(result, tag, pivot))
    named = {"base": given["base"], "lang": tag, "data": Path(given["data"]).name}
    options.save_json(json, {**result.to_dict(), **named})
