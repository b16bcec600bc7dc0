"""``xadapt explain``: a recipe or a part in words, with every option."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xadapt.cli import completion
from xadapt.cli.verbs import Verb
from xadapt.config.recipe import CompanionSpec, DataSpec, ObjectiveSpec, Recipe, TrainSpec
from xadapt.config.recipe_file import MAX_BYTES, find_recipe, load_recipe, recipe_names
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.part_source import PartSource, as_yaml, attributes, read_part
from xadapt.core.strict_parsing import parse_yaml, read_bytes

Row = tuple[str, Any, str, str]
"""An option: its name, its value, its default as text, and what it does."""
UNSET = object()
NESTED = ("name", "description", "source", "module", "objectives", "data", "companions", "train")
"""The keys of a recipe that are shown in parts of their own."""


def explain(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A recipe, objective, module, reader, transform, graph, task, metric or map.",
            autocompletion=completion.parts,
        ),
    ],
) -> None:
    """Explain a recipe or a part: what it does, every option with its value, its source."""
    console = Console(highlight=False)
    found = [read_part(room, own) for room, own in _places(name)]
    shown = name in recipe_names() or _is_file(name)
    if not found and not shown:
        every = {known for room in registry.ROOMS for known in registry.names(room)}
        raise UserError(registry.unknown("name", name, sorted(every | set(recipe_names()))))
    if shown:
        _explain_recipe(console, _read(find_recipe(name)))
    for part in found:
        _explain_part(console, part)


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _places(name: str) -> Iterator[tuple[str, str]]:
    """Yield the rooms that have a part of this name; a reader also goes by its format."""
    for room in registry.ROOMS:
        known = registry.names(room)
        if name in known:
            yield room, name
        elif room == "readers":
            formats = {str(read_part(room, one).facts.get("format")): one for one in known}
            if name in formats:
                yield room, formats[name]


def _read(path: Path) -> Recipe:
    """Read a recipe without importing its parts; a faulty one is checked whole, for the message."""
    try:
        raw, _ = parse_yaml(read_bytes(path, MAX_BYTES).decode("utf-8"), where=str(path))
        return Recipe.model_validate(raw)
    except (ValidationError, UnicodeDecodeError):
        return load_recipe(path)


def _explain_recipe(console: Console, recipe: Recipe) -> None:
    console.print(f"[bold]recipe[/bold] [bold cyan]{recipe.name}[/bold cyan]")
    _say(console, recipe.description)
    source = recipe.source
    console.print(f"Paper: {source.paper}", f"       {source.url}", sep="\n", markup=False)
    scores = dict(source.scores)
    if scores:
        console.print(f"Published scores: {scores.pop('what', '')}".rstrip(": "), markup=False)
        for key, value in scores.items():
            console.print(f"  {key}: {value}", markup=False)
    for title, text in (
        ("Differs from the paper", source.differences),
        ("Measured here", source.measured),
        ("Note", source.note),
    ):
        _say(console, f"{title}: {text}" if text else "")
    console.print()
    for place, title, rows in _recipe_tables(recipe):
        _table(console, title, rows, f"--set {place}OPTION=VALUE")
    console.print(f"xadapt train {recipe.name} --base BASE --data FILE --lang TAG --out FOLDER")
    console.print()


def _recipe_tables(recipe: Recipe) -> Iterator[tuple[str, str, list[Row]]]:
    """Yield the parts of a recipe: the place of their options, a title, and all their options."""
    kind = recipe.module.kind
    given = recipe.module.options()
    yield "module.", f"Module: {kind}", list(_part_rows("modules", kind, given))
    for number, one in enumerate(recipe.objectives):
        again = [other.name for other in recipe.objectives].count(one.name) > 1
        place = f"objectives.{number if again else one.name}."
        rows = _part_rows("objectives", one.name, dict(one.model_extra or {}))
        shared = _rows(one, ObjectiveSpec, leave=("name",))
        yield place, f"Objective: {one.name}", [*rows, *shared]
    for name, data in recipe.data.items():
        rows = _rows(data, DataSpec, leave=("transforms",))
        yield f"data.{name}.", f"Data: {name}", [*rows, _transforms(data)]
        for number, spec in enumerate(data.transforms or ()):
            rows = _part_rows("transforms", spec.name, dict(spec.model_extra or {}))
            place = f"data.{name}.transforms.{number}."
            yield place, f"Transform of {name}: {spec.name}", list(rows)
    yield "train.", "Training", list(_rows(recipe.train, TrainSpec))
    for name, companion in recipe.companions.items():
        rows = _rows(companion, CompanionSpec)
        yield f"companions.{name}.", f"Companion: {name}", list(rows)
    yield "", "Recipe", list(_rows(recipe, Recipe, leave=NESTED))


def _transforms(data: DataSpec) -> Row:
    given = UNSET if data.transforms is None else [one.name for one in data.transforms]
    about = "Transforms of the records, in order. Without them: those for the type of records."
    return "transforms", given, "null", about


def _part_rows(room: str, name: str, given: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the options of a part with the values that a recipe gives them."""
    for option in read_part(room, name).options:
        yield option.name, given.get(option.name, UNSET), option.default, option.help


def _rows(value: BaseModel, model: type[BaseModel], leave: Iterable[str] = ()) -> Iterator[Row]:
    """Yield the fields of a part of the schema, with the values of a recipe."""
    about = attributes(model.__doc__ or "")
    for name, field in model.model_fields.items():
        if name not in leave:
            own = getattr(value, name)
            default = field.get_default(call_default_factory=True)
            yield name, own if own != default else UNSET, as_yaml(default), about.get(name, "")


def _explain_part(console: Console, part: PartSource) -> None:
    console.print(f"[bold]{part.room[:-1]}[/bold] [bold cyan]{part.name}[/bold cyan]")
    if part.room == "tasks":
        _say(console, str(part.facts.get("title", "")))
    _say(console, part.text)
    facts = dict(_facts(part))
    if facts:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for key, value in facts.items():
            table.add_row(key, Text(value))
        console.print(table)
    console.print()
    if part.options:
        _table(console, "Options", [(o.name, UNSET, o.default, o.help) for o in part.options])
    used = _recipes_with(part)
    if used:
        console.print(f"Recipes with it: {', '.join(used)}", markup=False)
    if part.room == "tasks":
        console.print(f"All options: xadapt evaluate {part.name} --help", markup=False)
    if part.room == "maps":
        _explain_map(console, part)


def _explain_map(console: Console, part: PartSource) -> None:
    """Print what a recipe tells of a system, for a method of ``xadapt map``, which has none."""
    for title, key in (
        ("Published scores", "scores"),
        ("Differs from the paper", "differences"),
        ("Measured here", "measured"),
    ):
        _say(console, f"{title}: {part.facts[key]}" if part.facts.get(key) else "")
    console.print(
        f"xadapt map --src-emb FILE --tgt-emb FILE --dico-train FILE --method {part.name} "
        "--set OPTION=VALUE --out FOLDER",
        markup=False,
    )


FACTS = {
    "consumes": "takes records",
    "gives": "gives records",
    "record": "records",
    "format": "--format",
    "metrics": "scores",
    "data_help": "--data",
    "head": "task head",
    "task": "task",
    "needs": "needs",
}


def _facts(part: PartSource) -> Iterator[tuple[str, str]]:
    for key, shown in FACTS.items():
        value = part.facts.get(key)
        if isinstance(value, (tuple, list)):
            value = ", ".join(map(str, value))
        if value and "(" not in str(value).partition(":")[0]:  # no value that must be computed
            yield shown, str(value)


def _recipes_with(part: PartSource) -> list[str]:
    """Return the shipped recipes that use an objective, module, reader or transform."""
    found = []
    for name in recipe_names():
        recipe = _read(find_recipe(name))
        used = {
            "modules": {recipe.module.kind},
            "objectives": {one.name for one in recipe.objectives},
            "readers": {data.reader for data in recipe.data.values()},
            "transforms": {t.name for data in recipe.data.values() for t in data.transforms or ()},
        }
        if part.name in used.get(part.room, ()):
            found.append(name)
    return found


def _say(console: Console, text: str) -> None:
    """Print paragraphs; the breaks of lines inside a paragraph are those of the terminal."""
    for paragraph in filter(None, text.strip().split("\n\n")):
        console.print(" ".join(paragraph.split()), markup=False)


def _table(console: Console, title: str, rows: Iterable[Row], how: str = "") -> None:
    """Print options with their values; a default is shown where the value differs."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(min_width=14, no_wrap=True)
    table.add_column(min_width=14, max_width=26, overflow="fold")
    table.add_column(overflow="fold")
    for name, value, default, about in rows:
        shown = Text(default, style="dim") if value is UNSET else Text(as_yaml(value), "bold")
        if value is not UNSET and as_yaml(value) != default:
            shown.append(f" (default {default})", style="not bold dim")
        table.add_row(Text(f"  {name}", style="cyan"), shown, Text(about))
    console.print(Text(title, style="bold"))
    if how:
        console.print(Text(f"  {how}", style="dim"))
    console.print(table if table.row_count else "  (no options)")
    console.print()


VERBS = (
    Verb(
        "explain",
        "Help",
        explain,
        ("xadapt explain translation_ranking", "xadapt explain lora"),
    ),
)
