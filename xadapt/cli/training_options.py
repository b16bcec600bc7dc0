"""Options that ``xadapt train`` and ``xadapt tune`` share."""

from __future__ import annotations

from typing import Annotated

import typer

from xadapt.cli import completion, options

RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="Name of a recipe (see: xadapt list recipes), or a YAML file.",
        autocompletion=completion.recipes,
    ),
]
BaseOption = Annotated[
    str | None,
    typer.Option("--base", metavar="BASE", help=options.BASE_HELP, autocompletion=completion.bases),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change an option of the recipe, such as train.epochs=3 (see: xadapt explain "
        "RECIPE). Several: repeat the option.",
    ),
]
ComposeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--compose",
        metavar="COMPOSITION",
        help="Train inside a composition with frozen modules, such as 'runs/en + self', where "
        "self is the new module. Several take turns: repeat the option.",
    ),
]
CompanionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--companion",
        metavar="NAME=FOLDER",
        help="A frozen module that the recipe learns from, such as teacher=runs/teacher or "
        "teacher=hf:org/name. Several: repeat the option.",
    ),
]
TranslatorOption = Annotated[
    str | None,
    typer.Option(
        "--translator",
        metavar="TRANSLATOR",
        help="For recipes that translate: apertium, seq2seq:ORG/NAME or file:TRANSLATIONS.tsv.",
    ),
]
BaseIdOption = Annotated[
    str | None,
    typer.Option(
        "--base-id",
        metavar="ORG/NAME",
        help="Hub id of the base, if --base is a folder or package: other libraries load the "
        "base by this id.",
    ),
]
LicenceOption = Annotated[
    str | None,
    typer.Option("--licence", metavar="SPDX", help="Licence of the module, such as apache-2.0."),
]
DataLicenceOption = Annotated[
    str | None,
    typer.Option(
        "--data-licence",
        metavar="TEXT",
        help="Licence of the training data, for the card, such as CC-BY-4.0.",
    ),
]
DataIdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-id",
        metavar="ORG/NAME",
        help="Id on the Hub of a data set that a file was made from, for the card. "
        f"{options.SEVERAL}",
    ),
]
