"""``xadapt kg``: the verbs for knowledge graphs, one file each in ``xadapt/cli/kg``."""

from __future__ import annotations

import typer

from xadapt.cli.verbs import Verb, verbs_in

app = typer.Typer(
    help="Build, align and complete knowledge graphs in many languages.",
    rich_markup_mode="rich",
    no_args_is_help=True,
)
for _verb in verbs_in("xadapt.cli.kg"):
    _verb.add(app)

VERBS = (
    Verb(
        "kg",
        "Graphs",
        app,
        (
            "xadapt kg build --graph cldr --lang sw,en --out cldr-sw",
            "xadapt kg build --graph dbp5l:dbp5l --split 30/0/70 --out graph",
        ),
    ),
)
