"""``xadapt compose``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb

if TYPE_CHECKING:
    from xadapt.pipelines.weight_search import Found

SEARCH = "Search of weights"


def compose(
    expression: Annotated[
        str,
        typer.Argument(
            metavar="COMPOSITION", help="Such as 'mix(a:.7, b:.3)' or 'language + task'."
        ),
    ],
    base: options.BaseOption,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make.")],
    module: options.ModuleOption = None,
    rank: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Reduce the merged LoRA to this rank, and report what is lost."
        ),
    ] = None,
    no_merge: Annotated[
        bool, typer.Option("--no-merge", help="Do not merge LoRAs that could become one LoRA.")
    ] = False,
    apart: Annotated[bool, typer.Option("--apart", hidden=True)] = False,
    merged: Annotated[
        bool,
        typer.Option(
            "--merged",
            help="Write the whole base with the LoRA merged into its weights, and the task head.",
        ),
    ] = False,
    soup: Annotated[
        bool,
        typer.Option(
            "--soup", help="Average the parameters of modules of one kind instead: one module."
        ),
    ] = False,
    adapters_setup: Annotated[
        bool,
        typer.Option(
            "--adapters-setup", help="Write an adapter setup, which the library adapters loads."
        ),
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The module whose task head is kept, of several."),
    ] = None,
    few_shot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=SEARCH,
            help="A few examples (tagged sentences, pairs of texts, or a graph such as kg:DIR): "
            "the weights of 'mix(a, b, c)' are searched on them.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=SEARCH,
            help="Sets of weights to try (default: 40).",
        ),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            rich_help_panel=SEARCH,
            help="Language of the examples, if their file does not say it.",
        ),
    ] = None,
    loaders: options.LoadersOption = None,
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
    allow_base_mismatch: options.AllowBaseMismatchOption = False,
) -> None:
    """Make one module of several that act together: a plain LoRA where that is exact."""
    for option, given in (("--budget", budget), ("--lang", lang), ("--json", json)):
        options.require(
            given is None or few_shot is not None,
            f"{option} does nothing without --few-shot",
            "Leave it out",
        )
    options.require_named(options.split(module), expression)
    with launched.progress("starting"):
        from xadapt import integrations
        from xadapt.core.files import require_empty, write_json
        from xadapt.core.folder_lock import one_writer
        from xadapt.hub.loaders import loaders_of
        from xadapt.pipelines import compose as composing
        from xadapt.pipelines.weight_search import BUDGET, FILE
    wanted = loaders_of(loaders)

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
    with launched.progress("composing, and comparing with other libraries"):
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
            loaders=wanted,
            head=head,
            report=typer.echo,
        )
    if found is not None:
        write_json(out / FILE, found.to_dict())
        options.save_json(json, found.to_dict())


def _search(
    expression: str, base: str, folders: list[str], examples: str, lang: str | None, budget: int
) -> Found:
    from xadapt.core.progress import Meter, meter
    from xadapt.pipelines import weight_search as few_shot

    bar: Meter | None = None

    with ExitStack() as stack:
        stack.enter_context(launched.progress(f"loading {base} and the examples"))

        def count(trial: few_shot.Trial) -> None:
            nonlocal bar
            bar = bar or stack.enter_context(meter("trying weights", budget))
            bar.advance(note=f"loss {trial.loss:.3f}")

        found = few_shot.few_shot(
            expression,
            base=base,
            folders=folders,
            examples=examples,
            lang=lang,
            budget=budget,
            on_trial=count,
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


VERBS = (
    Verb(
        "compose",
        "Use",
        compose,
        (
            "xadapt compose 'mix(sw:.7, de:.3)' --base mini --module sw,de --out mixed",
            "xadapt compose 'sw + de' --base mini --module sw,de --rank 8 --out stacked",
        ),
    ),
)
