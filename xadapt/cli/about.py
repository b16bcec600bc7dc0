"""``xadapt list``, ``explain`` and ``doctor``: the available parts, and this machine."""

from __future__ import annotations

import dataclasses
import inspect
import platform
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from xadapt import integrations
from xadapt.cli import options
from xadapt.config.recipe_file import find_recipe, load_recipe, recipe_names
from xadapt.core import registry
from xadapt.core.errors import UserError


def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            help="recipes, objectives, modules, readers, transforms, tasks, families or languages."
        ),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """List recipes, objectives, modules, readers, transforms, tasks, families, languages."""
    from xadapt.backbones.families import FAMILIES
    from xadapt.data.readers.cldr_graph import languages as graph_languages

    found: dict[str, list[str]] = {
        "recipes": recipe_names(),
        **{room: list(registry.names(room)) for room in registry.ROOMS},
        "families": sorted(family.name for family in FAMILIES),
        "languages": sorted(graph_languages()),
    }
    if what is not None and what not in found:
        raise UserError(registry.unknown("list", what, list(found)))
    chosen = {what: found[what]} if what else found
    console = Console(highlight=False)
    for name, entries in chosen.items():
        console.print(f"[bold]{name}[/bold]  {', '.join(entries)}")
    options.save_json(json, chosen)


def explain(
    name: Annotated[
        str, typer.Argument(help="An objective, module, reader, transform, task or recipe.")
    ],
) -> None:
    """Explain a part or a recipe: what it does, its options with defaults, its source."""
    console = Console(highlight=False)
    rooms = [room for room in registry.ROOMS if name in registry.names(room)]
    for room in rooms:
        if room == "tasks":
            _explain_task(console, name)
            continue
        part = registry.load(room, name)
        console.print(f"[bold]{room[:-1]} {name}[/bold]")
        console.print(inspect.getdoc(part) or "", markup=False)
        console.print(*_records(part), sep="\n", markup=False)
        if room != "readers":
            console.print(_options(part))
    if name in recipe_names():
        recipe = load_recipe(find_recipe(name))
        console.print(f"[bold]recipe {name}[/bold]\n{recipe.description}", markup=True)
        console.print(f"{recipe.source.paper}\n{recipe.source.url}", markup=False)
        for key, value in recipe.source.scores.items():
            console.print(f"  {key}: {value}", markup=False)
        console.print(recipe.source.note, markup=False)
    elif not rooms:
        every = [known for room in registry.ROOMS for known in registry.names(room)]
        raise UserError(registry.unknown("name", name, [*every, *recipe_names()]))


def _records(part: Any) -> Iterator[str]:
    """Yield a line for each declared input, output and requirement of a part."""
    for verb in ("consumes", "gives"):
        value = getattr(part, verb, None)
        if isinstance(value, property):
            yield f"{verb}: by its options, {inspect.getdoc(value)}"
        elif value is not None:
            yield f"{verb}: {value.__name__}"
    if getattr(part, "needs", ()):
        yield f"needs: {', '.join(part.needs)}"


def _explain_task(console: Console, name: str) -> None:
    from xadapt.tasks.protocol import find, options_of

    task = find(name)
    console.print(f"[bold]task {name}[/bold]\n{task.title}")
    table = Table("", "", show_header=False)
    table.add_row("metrics", ", ".join(task.metrics))
    table.add_row("records", f"{task.record.__name__} ({task.unit})")
    table.add_row("--data", task.data_help)
    table.add_row("task head", task.head or "none: vectors")
    for option, (_, default, about) in options_of(task).items():
        flag = about.flag or f"--{option.replace('_', '-')}"
        shown = "" if default in (None, inspect.Parameter.empty) else f" [{default}]"
        table.add_row(flag, about.help + shown)
    console.print(table)
    console.print(f"xadapt evaluate {name} --help", markup=False)


def _options(part: Any) -> Table:
    table = Table("option", "default")
    for field, default in _fields(part):
        table.add_row(field, str(default))
    return table


def _fields(part: Any) -> list[tuple[str, Any]]:
    if hasattr(part, "Options"):
        return [
            (n, f.get_default(call_default_factory=True))
            for n, f in part.Options.model_fields.items()
        ]
    return [(f.name, f.default) for f in dataclasses.fields(part)]


def doctor(
    clear_cache: Annotated[
        bool, typer.Option("--clear-cache", help="Remove all cached activations.")
    ] = False,
    json: options.JsonOption = None,
) -> None:
    """Show versions, device, usable loaders and the cache of activations."""
    import torch

    from xadapt.backbones.cache.folder import cache_folder, clear, parts
    from xadapt.backbones.loading import choose_device, choose_dtype
    from xadapt.hub.manifest import software_versions

    folder = cache_folder()
    if clear_cache:
        clear(folder)
    cached = parts(folder)
    device = choose_device("auto")
    facts = {
        "python": platform.python_version(),
        **software_versions(),
        "device": f"{device}, {torch.get_num_threads()} threads",
        "dtype": str(choose_dtype("auto", device)).removeprefix("torch."),
        "cache": f"{folder}, {sum(part.bytes for part in cached) / 1e6:.1f} MB",
        **{
            f"cache, {p.name}": f"{p.files} files, {p.bytes / 1e6:.1f} MB, {p.folder.name}/"
            for p in cached
        },
        **{f"loader {n}": reason or "usable" for n, reason in integrations.usable().items()},
    }
    table = Table("what", "found")
    for key, value in facts.items():
        table.add_row(key, str(value))
    Console(highlight=False).print(table)
    told = {p.name: {"folder": str(p.folder), "files": p.files, "bytes": p.bytes} for p in cached}
    options.save_json(json, {**facts, "cached": told})
