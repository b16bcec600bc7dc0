"""``xadapt train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt import bridges
from xadapt.cli import options
from xadapt.cli.tables import evidence_table
from xadapt.errors import UserError
from xadapt.recipe import Recipe
from xadapt.recipe_file import find_recipe, load_recipe
from xadapt.records_in import Source
from xadapt.run import Job, Trained
from xadapt.run import train as run_one


def train(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped recipe.")],
    data: Annotated[
        list[str],
        typer.Option(
            help="Parallel text: a file, cldr, or hf:org/name. {lang} stands for the language."
        ),
    ],
    lang: Annotated[list[str], typer.Option(help="BCP-47 or ISO 639-3; several: one module each.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    base: Annotated[
        str | None, typer.Option(help="Hub id, folder or package:NAME/SUBDIR of the encoder.")
    ] = None,
    dev: Annotated[
        str | None, typer.Option(help="Development pairs; else taken from data.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: a.b=value.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train this many, with seeds 0, 1, ...")] = 1,
    controls: Annotated[bool, typer.Option(help="Also train the shuffled-pairs twin.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with an interrupted run.")] = False,
    joint: Annotated[bool, typer.Option(help="One module for all languages.")] = False,
    columns: options.ColumnsOption = None,
    file_format: options.FormatOption = None,
    pivot: options.PivotOption = "en",
    base_id: Annotated[str | None, typer.Option(help="Hub id of a base given otherwise.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX id of the module's licence.")] = None,
    json: options.JsonOption = None,
) -> None:
    """Train a module on a frozen encoder and write its folder, with evidence and card."""
    plan = load_recipe(find_recipe(recipe), set_ or [])
    found = base or plan.base
    options.require(found is not None, "no base is given", "Name one with --base")
    sources = _sources(options.split(data), options.tags(lang), pivot, columns, file_format)
    console = Console(stderr=True, highlight=False)
    done: list[Trained] = []
    for part, folder, seed in _parts(sources, out, joint, seeds):
        console.print(f"[bold]{', '.join(s.lang for s in part)}[/bold] -> {folder}")
        job = Job(
            base=str(found),
            sources=part,
            out=folder,
            dev=_dev(dev, part[0], columns, file_format),
            resume=resume,
            controls=controls,
            base_id=base_id,
            licence=licence,
        )
        seeded = plan if seed is None else plan.model_copy(update={"seed": seed})
        done.append(_one(seeded, job, console))
    options.save_json(json, {"command": "train", "modules": [_row(t) for t in done]})


def _one(recipe: Recipe, job: Job, console: Console) -> Trained:
    trained = run_one(recipe, job, bridges.compare_loaders, lambda line: console.print(line))
    Console(highlight=False).print(evidence_table(trained.manifest))
    console.print(
        f"trained in {trained.seconds:.0f} s (and {trained.prepare_seconds:.0f} s for the frozen "
        f"side), {trained.padding:.1%} padding; wrote {trained.folder}"
    )
    for name, loader in trained.manifest.loaders.items():
        console.print(
            f"  {name}: {loader.status}" + (f" ({loader.reason})" if loader.reason else "")
        )
    return trained


def _sources(
    data: list[str], langs: list[str], pivot: str, columns: str | None, file_format: str | None
) -> list[Source]:
    if len(data) == 1:
        data = data * len(langs)
    if len(data) != len(langs) or not langs:
        raise UserError(
            f"{len(data)} sources and {len(langs)} languages",
            where="--data",
            todo="Give one source for all languages, or one for each in the same order",
        )
    return [
        Source(path.replace("{lang}", tag), tag, pivot, columns, file_format)
        for path, tag in zip(data, langs, strict=True)
    ]


def _parts(
    sources: list[Source], out: Path, joint: bool, seeds: int
) -> list[tuple[tuple[Source, ...], Path, int | None]]:
    groups = (
        [(tuple(sources), out)]
        if joint or len(sources) == 1
        else [((source,), out / source.lang) for source in sources]
    )
    if seeds == 1:
        return [(group, folder, None) for group, folder in groups]
    return [(g, folder / f"seed-{n}", n) for g, folder in groups for n in range(seeds)]


def _dev(
    dev: str | None, source: Source, columns: str | None, file_format: str | None
) -> Source | None:
    if dev is None:
        return None
    path = dev.replace("{lang}", source.lang)
    return Source(path, source.lang, source.pivot_lang, columns, file_format)


def _row(trained: Trained) -> dict[str, object]:
    return {
        "folder": trained.folder.name,
        "seconds": trained.seconds,
        "prepare_seconds": trained.prepare_seconds,
        "padding": trained.padding,
        "notes": trained.notes,
        "manifest": trained.manifest.model_dump(mode="json"),
    }
