"""``xadapt quickstart``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from xadapt import integrations
from xadapt.cli import completion, launched, options
from xadapt.cli.verbs import Verb
from xadapt.config.recipe_file import find_recipe, load_recipe

if TYPE_CHECKING:
    from xadapt.pipelines.quickstart import Outcome


def quickstart(
    lang: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help=f"Languages (default: fr,es,ru; with --names sw,ru,hi). {options.SEVERAL}",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Names in 245 languages, on mini, not sentences.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for the modules and the page (default: quickstart, quickstart/names).",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="BASE",
            help=f"{options.BASE_HELP} Default: MiniLM, from the extra demo; with --names mini.",
            autocompletion=completion.bases,
        ),
    ] = None,
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
    """Train on sentences that come with xadapt, show what each module gained. No network."""
    began = time.monotonic()
    note = Console(stderr=True, highlight=False, soft_wrap=True)
    with launched.progress("loading libraries"):
        from xadapt.languages.tags import display_name
        from xadapt.pipelines.quickstart import (
            PAGE,
            PICTURE,
            base_of,
            job,
            page,
            require_own_page,
            run_language,
        )
        from xadapt.pipelines.quickstart_acts import NAMES, SENTENCES
        from xadapt.pipelines.train import check
        from xadapt.report import save_figure, write_report
        from xadapt.tasks.protocol import find

    act = NAMES if names else SENTENCES
    recipe = load_recipe(find_recipe(act.recipe), set_ or [])
    tags = options.tags(lang) or list(act.languages)
    act.require_languages(tags)
    base = base_of(act, base)
    out = out or Path("quickstart", "names" if names else "")
    require_own_page(out)
    check(recipe, [job(act, base, tag, out) for tag in tags])
    shown = Console(highlight=False)
    outcomes: list[Outcome] = []
    for number, tag in enumerate(tags, 1):
        report = _under(f"{display_name(tag)} ({number} of {len(tags)})", note)
        outcome = run_language(act, recipe, base, tag, out, integrations.compare_loaders, report)
        shown.print(find(act.task).table(outcome.result))
        outcomes.append(outcome)
    made = page(act, outcomes, base, _command())
    write_report(out / PAGE, made)
    save_figure(out / PICTURE, made)
    seconds = time.monotonic() - began
    _tell(outcomes, base, out, seconds)
    found = {o.lang: {"seconds": o.seconds, **o.result.to_dict()} for o in outcomes}
    options.save_json(json, {"command": "quickstart", "seconds": seconds, "languages": found})


def _under(heading: str, note: Console) -> Callable[[str], None]:
    """Return a function that prints lines, the heading before the first one."""
    once = iter([heading])

    def report(line: str) -> None:
        for first in once:
            note.print(first)
        note.print(line)

    return report


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
        ("xadapt quickstart", "xadapt quickstart --lang de,el --out first"),
        interrupted="the same command goes on where it stopped",
    ),
)
