"""``xadapt evaluate``: one subcommand a task.

Under ``torchrun`` or ``accelerate launch`` the processes share the forwards of every task (but of
``--emea``, whose forwards each makes for itself), each computes all scores, and the first alone
prints and writes. A forward's batch is the one it has without them, so with the same hardware and
number of threads (``OMP_NUM_THREADS``, which torchrun sets to 1) results are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from xadapt.cli import launched, options
from xadapt.languages import tags as languages

app = typer.Typer(help="Measure a base or a module, with controls.", rich_markup_mode=None)

LangOption = Annotated[
    str | None, typer.Option(help="Language of the texts; known from the module if there is one.")
]
ControlsOption = Annotated[
    bool, typer.Option(help="Add TF-IDF, and the shuffled-pairs control if it was trained.")
]
ComposeOption = Annotated[
    str | None, typer.Option(help="Modules that act together: 'language + task'.")
]
AgainstOption = Annotated[
    str | None, typer.Option(help="Another composition, to tell the difference to.")
]
HeadOption = Annotated[
    str | None, typer.Option(help="The module whose head it is, where several have one.")
]
TextLangOption = Annotated[
    str | None, typer.Option(help="Language of the texts, where the composition chooses by it.")
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
    pivot: options.PivotOption = None,
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
        str | None,
        typer.Option(help="For cldr: test, among the test entities, or all (the default)."),
    ] = None,
    controls: ControlsOption = False,
    columns: options.ColumnsOption = None,
    file_format: options.FormatOption = None,
    pivot: options.PivotOption = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Entity alignment by name, both ways: Hits@1/10, MRR with fair ties, and CSLS."""
    options.require(pool in ("test", "all", None), f"--pool is test or all, not {pool!r}")
    graph = {"--columns": columns, "--format": file_format} if data == "cldr" else {"--pool": pool}
    for option, given in graph.items():
        options.require(given is None, f"{option} does nothing with --data {data}", "Leave it out")
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
        pool=pool or "all",
        controls=controls,
        dtype=dtype,
    )


@app.command()
def tagging(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="Sentences with labels the module has not seen.")],
    module: options.ModuleOption = None,
    compose: ComposeOption = None,
    against: AgainstOption = None,
    head: HeadOption = None,
    lang: TextLangOption = None,
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
    options.require_named(options.split(module), compose, against)
    given = _given(base, data, module, compose, against, head, lang, dtype)
    _measure_head("tagging", json, **given, file_format=file_format, emea=emea, say=_note)


@app.command()
def classification(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="Lines of text, tab, class, not seen before.")],
    module: options.ModuleOption = None,
    compose: ComposeOption = None,
    against: AgainstOption = None,
    head: HeadOption = None,
    lang: TextLangOption = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Classes of texts: accuracy and the mean F1 of the classes, beside the commonest class."""
    options.require_named(options.split(module), compose, against)
    given = _given(base, data, module, compose, against, head, lang, dtype)
    _measure_head("classification", json, **given, say=_note)


@app.command()
def sts(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="Lines of text, tab, text, tab, score.")],
    module: options.ModuleOption = None,
    compose: ComposeOption = None,
    against: AgainstOption = None,
    head: HeadOption = None,
    lang: Annotated[
        str | None,
        typer.Option(help="Language of the texts, or LEFT,RIGHT: each through its own module."),
    ] = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Likeness of pairs, by vectors or by a head: Spearman and Pearson with people's scores."""
    options.require_named(options.split(module), compose, against)
    given = _given(base, data, module, compose, against, head, lang, dtype)
    _measure_head("sts", json, **given)


@app.command()
def qa(
    base: options.BaseOption,
    data: Annotated[str, typer.Option(help="SQuAD v1.1 JSON, or one passage a line (.jsonl).")],
    module: options.ModuleOption = None,
    compose: ComposeOption = None,
    against: AgainstOption = None,
    head: HeadOption = None,
    lang: Annotated[
        str | None, typer.Option(help="Language of the questions: whose articles don't count.")
    ] = None,
    dtype: options.DtypeOption = "auto",
    json: options.JsonOption = None,
) -> None:
    """Answers inside passages: F1 of words and exact match, beside a window of shared words."""
    options.require_named(options.split(module), compose, against)
    given = _given(base, data, module, compose, against, head, lang, dtype)
    _measure_head("qa", json, **given)


def _given(
    base: str,
    data: str,
    module: list[str] | None,
    compose: str | None,
    against: str | None,
    head: str | None,
    lang: str | None,
    dtype: str,
) -> dict[str, Any]:
    """What all tasks with a head take."""
    return {
        "base": base,
        "data": data,
        "modules": options.split(module),
        "compose": compose,
        "against": against,
        "head": head,
        "lang": lang,
        "dtype": dtype,
    }


def _measure_head(task: str, json: Path | None, **given: Any) -> None:
    """Measure a task head, show the table, and write the result for machines."""
    from xadapt import api as verbs
    from xadapt.cli import tables

    with launched.sharing():
        result = getattr(verbs, f"evaluate_{task}")(**given)
    own: dict[str, Callable[[Any], Table]] = {
        "tagging": tables.tagging_table,
        "open_ie": tables.open_ie_table,
    }
    _show(result, own.get(task, tables.comparison_table)(result), json, given["lang"], given)


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
    _measure_head(
        "open_ie",
        json,
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


def _note(line: str) -> None:
    if launched.is_first():
        typer.echo(line, err=True)


def _measure(task: Literal["bitext", "entities"], json: Path | None, **given: Any) -> None:
    """Measure, show the table, and write the result for machines."""
    from xadapt.cli import tables
    from xadapt.tasks.assess.retrieval import evaluate, language_of

    given["pivot"] = given["pivot"] or options.PIVOT
    tag = language_of(given["lang"], given["module"])
    options.require_columns(given["data"], tag, given["columns"], given["file_format"])
    with launched.sharing():
        result = evaluate(task, say=_note, **given)
    pivot = languages.normalise(given["pivot"])
    _show(result, tables.result_table(result, tag, pivot), json, tag, given)


def _show(result: Any, table: Table, json: Path | None, lang: str | None, given: Any) -> None:
    """Print the table and write the result for machines, in the first process."""
    if not launched.is_first():
        return
    Console(highlight=False).print(table)
    named = {"base": given["base"], "lang": lang, "data": Path(given["data"]).name}
    options.save_json(json, {**result.to_dict(), **named})
