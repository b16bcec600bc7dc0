"""``xadapt compose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from xadapt.cli import options

if TYPE_CHECKING:
    from xadapt.pipelines.weight_search import Found


def compose(
    expression: Annotated[str, typer.Argument(help="Such as 'mix(a:.7, b:.3)' or 'lang + ner'.")],
    base: options.BaseOption,
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    module: options.ModuleOption = None,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Cut the one LoRA to this rank; says what is lost.")
    ] = None,
    no_merge: Annotated[
        bool, typer.Option("--no-merge", help="Do not merge LoRAs that could be one.")
    ] = False,
    apart: Annotated[bool, typer.Option("--apart", hidden=True)] = False,
    merged: Annotated[
        bool, typer.Option("--merged", help="Write the whole base with the LoRA in its weights.")
    ] = False,
    soup: Annotated[
        bool, typer.Option("--soup", help="Average the parameters instead: one module of any kind.")
    ] = False,
    adapters_setup: Annotated[
        bool, typer.Option("--adapters-setup", help="Write a setup that adapters loads whole.")
    ] = False,
    few_shot: Annotated[
        str | None,
        typer.Option(help="A few labelled examples: search the weights of 'mix(a, b, c)' on them."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Sets of weights --few-shot may try; else 40.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="Language of the examples, if their file must be told.")
    ] = None,
    loaders: options.LoadersOption = None,
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Make one folder of modules that act together: a plain LoRA where that is exact."""
    for option, given in (("--budget", budget), ("--lang", lang), ("--json", json)):
        options.require(
            given is None or few_shot is not None,
            f"{option} does nothing without --few-shot",
            "Leave it out",
        )
    options.require_named(options.split(module), expression)
    from xadapt.hub.loaders import loaders_of

    loaders_of(loaders)
    from xadapt import integrations
    from xadapt.core.files import require_empty, write_json
    from xadapt.core.folder_lock import one_writer
    from xadapt.pipelines import compose as composing
    from xadapt.pipelines.weight_search import BUDGET, FILE

    with one_writer(out):  # that it can be written, before the work
        require_empty(out)
    found = None
    if few_shot is None:
        for option, value in (("--json", json), ("--budget", budget), ("--lang", lang)):
            options.require(value is None, f"{option} does nothing without --few-shot")
    else:
        options.require(not soup, "--soup has no weights to search", "Leave --few-shot out")
        options.require(not adapters_setup, "adapters has no mixture", "Leave --few-shot out")
        found = _search(expression, base, options.split(module), few_shot, lang, budget or BUDGET)
    composing.compose(
        expression if found is None else found.composition,
        base=base,
        folders=options.split(module),
        out=out,
        verify=integrations.compare_loaders,
        rank=rank,
        no_merge=no_merge or apart,
        merged=merged,
        averaged=soup,
        setup=adapters_setup,
        loaders=loaders_of(loaders),
        report=typer.echo,
    )
    if found is not None:
        write_json(out / FILE, found.to_dict())
        options.save_json(json, found.to_dict())


def _search(
    expression: str, base: str, folders: list[str], examples: str, lang: str | None, budget: int
) -> Found:
    from xadapt.core.progress import meter
    from xadapt.pipelines import weight_search as few_shot

    with meter("trying weights", budget) as bar:
        found = few_shot.few_shot(
            expression,
            base=base,
            folders=folders,
            examples=examples,
            lang=lang,
            budget=budget,
            tell=lambda trial: bar.advance(note=f"loss {trial.loss:.3f}"),
        )
    table = Table("", *found.parts, "loss", "with L1", box=box.SIMPLE_HEAD)
    for trial in found.trials:
        mark = " *" if trial is found.best else ""
        weights = (f"{weight:g}" for weight in trial.weights)
        table.add_row(trial.what + mark, *weights, f"{trial.loss:.4f}", f"{trial.objective:.4f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"found {found.facts['composition']}", markup=False, soft_wrap=True)
    return found
