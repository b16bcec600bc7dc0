"""``xadapt quickstart``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from xadapt import integrations
from xadapt.cli import completion, options
from xadapt.cli.verbs import Verb
from xadapt.config.recipe_file import find_recipe, load_recipe

if TYPE_CHECKING:
    from xadapt.pipelines.quickstart import Outcome


def quickstart(
    lang: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help=f"Languages (default: sw,ru,hi). {options.SEVERAL}"),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder for the modules and the page.")
    ] = Path("quickstart"),
    base: Annotated[
        str,
        typer.Option(metavar="BASE", help=options.BASE_HELP, autocompletion=completion.bases),
    ] = "mini",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change an option of the recipe, such as train.epochs=3 (see: xadapt explain "
            "quickstart). Several: repeat the option.",
        ),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """Train on the built-in knowledge graph, show before and after, save a module. No network."""
    began = time.monotonic()
    recipe = load_recipe(find_recipe("quickstart"), set_ or [])
    tags = options.tags(lang) or ["sw", "ru", "hi"]
    from xadapt.pipelines.quickstart import (
        PAGE,
        PICTURE,
        page,
        require_languages,
        require_own_page,
        run_language,
    )
    from xadapt.report import save_figure, write_report
    from xadapt.tasks.protocol import find

    require_languages(tags)
    require_own_page(out)
    note = Console(stderr=True, highlight=False, soft_wrap=True)
    shown = Console(highlight=False)
    outcomes: list[Outcome] = []
    for tag in tags:
        outcome = run_language(
            recipe, base, tag, out, integrations.compare_loaders, lambda line: note.print(line)
        )
        shown.print(find("entities").table(outcome.result))
        outcomes.append(outcome)
    report = page(outcomes, base, _command())
    write_report(out / PAGE, report)
    save_figure(out / PICTURE, report)
    _tell(outcomes, base, out, time.monotonic() - began)
    options.save_json(
        json,
        {"command": "quickstart", "languages": {o.lang: o.result.to_dict() for o in outcomes}},
    )


def _tell(outcomes: list[Outcome], base: str, out: Path, seconds: float) -> None:
    from xadapt.pipelines.quickstart import loading_lines

    first = outcomes[0]
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"The picture: {out / 'report.html'}   ({seconds:.0f} s in all)")
    for outcome in outcomes:
        again = ", from an earlier quickstart" if outcome.reused else ""
        console.print(f"The module for {outcome.shown.name}: {outcome.folder}{again}")
    console.print("\nLoad it without xadapt:\n")
    for line in loading_lines(first.manifest, base, str(first.folder)):
        console.print(line, markup=False)


def _command() -> str:
    """Return the command as typed, without the folders of this machine.

    The page may be shared, so local paths are left out.
    """
    return " ".join(["xadapt", *map(_without_folders, sys.argv[1:])])


def _without_folders(word: str) -> str:
    """Return a word of the command line; of a path on this machine, only its name."""
    from xadapt.hub.manifest import without_local_paths

    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + str(without_local_paths(value))


VERBS = (
    Verb(
        "quickstart",
        "Train",
        quickstart,
        ("xadapt quickstart", "xadapt quickstart --lang sw --out first"),
        interrupted="the same command goes on where it stopped",
    ),
)
