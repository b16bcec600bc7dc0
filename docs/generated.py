"""Pages that mkdocs makes when it builds: Python, command line, recipes, measured results.

mkdocs calls `on_files` of this file (``hooks`` in mkdocs.yml). The other functions give text.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.structure.files import File

import xadapt
from xadapt.cli.app import app
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import find_recipe, load_recipe, recipe_names

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "examples" / "benchmarks"


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those of the folder."""
    pages = {
        "reference/python.md": python(),
        "reference/command_line.md": command_line(),
        "reference/recipes.md": recipes(),
        "benchmarks/results.md": (MEASURED / "RESULTS.md").read_text(encoding="utf-8"),
    }
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    pictures = {f"benchmarks/results/{f.name}": f for f in (MEASURED / "results").glob("*.svg")}
    pictures["images/quickstart.png"] = ROOT / "examples" / "images" / "quickstart.png"
    for place, file in pictures.items():
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=str(file)))
    return files


PUBLIC = {
    "Predictors": ("xadapt.tasks", "Predictors read the task head that was trained with a module."),
    "Records": ("xadapt.data.records", "Records are the typed rows that readers give."),
    "Compositions": (
        "xadapt.composition.values",
        "A composition is `None` (the bare base), the name of a module, or one of these values. "
        "`xadapt.composition.text` parses and prints their text.",
    ),
    "Recipes": ("xadapt.config.recipe", "A recipe is read from YAML, or made of these."),
    "Results": ("xadapt.evaluation.comparison", "What `evaluate` gives."),
    "Errors": ("xadapt.core.errors", "What a user can do wrong is a `UserError`."),
}
"""Modules whose public classes stand on the page of the Python functions, below `xadapt` itself."""


def python() -> str:
    """Name every public object for mkdocstrings: those of `xadapt`, and the classes they use."""
    parts = [
        "# Python\n\nThe functions are those of the command line. A mistake in what is asked for "
        "raises a `UserError` whose text is one line: where, what, and what to do.\n\n## xadapt\n"
    ]
    names = [name for name in xadapt.__all__ if name != "__version__"]
    parts += [f"::: xadapt.{name}\n" for name in names]
    shown = {path_of(name) for name in names}
    for title, (module, about) in PUBLIC.items():
        parts.append(f"## {title}\n\n{about}\n")
        parts += [f"::: {path}\n" for path in classes(module) if path not in shown]
    return "\n".join(parts)


def path_of(name: str) -> str:
    """Where a public name of `xadapt` is defined."""
    value = getattr(xadapt, name)
    return f"{value.__module__}.{name}"


def classes(module: str) -> list[str]:
    """The public classes of a module; of a package, those that it exports."""
    found = import_module(module)
    names = getattr(found, "__all__", None) or [n for n in vars(found) if not n.startswith("_")]
    values = [getattr(found, name) for name in names]
    own = [v for v in values if isinstance(v, type) and v.__module__.startswith(module)]
    return [f"{value.__module__}.{value.__qualname__}" for value in own]


def command_line() -> str:
    """Describe every command, with its arguments and options, from the parser itself."""
    parts = [
        "# Command line\n\nMade from the program itself: `xadapt --help` and "
        "`xadapt COMMAND --help` say the same.\n\nResults go to standard output and `--json FILE`, "
        "progress and notes to standard error. Exit codes: 0 done, 2 a mistake in what was asked "
        "for (one line says where, what, and what to do), 1 a fault of xadapt, 130 after Ctrl-C, "
        "143 after SIGTERM.\n"
    ]
    for name, command in _subcommands(typer.main.get_command(app)):
        parts += _command(f"xadapt {name}", command, 2)
    return "\n".join(parts)


def _subcommands(group: Any) -> list[tuple[str, Any]]:
    """The subcommands that are shown, by name, in the order of the help."""
    if not hasattr(group, "list_commands"):
        return []
    context = group.make_context(group.name or "", [], resilient_parsing=True)
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [(name, command) for name, command in found if not command.hidden]


def _command(name: str, command: Any, level: int) -> list[str]:
    """Describe one command and its subcommands."""
    own = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    arguments = [p for p in own if p.param_type_name == "argument"]
    options = [p for p in own if p.param_type_name == "option"]
    words = [name, *(_shown(p) for p in arguments), *(["[OPTIONS]"] if options else [])]
    about = re.sub(r"\n\s*\n", "\n\n", (command.help or "").strip())
    parts = [f"{'#' * level} `{name}`\n", f"{about}\n", f"```text\n{' '.join(words)}\n```\n"]
    if own:
        parts.append("| option | what it does | default |\n| --- | --- | --- |")
        parts += [_row(parameter) for parameter in (*arguments, *options)]
        parts.append("")
    for inner, sub in _subcommands(command):
        parts += _command(f"{name} {inner}", sub, level + 1)
    return parts


def _shown(argument: Any) -> str:
    word = argument.name.upper()
    return word if argument.required else f"[{word}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        flags = f"`{_shown(parameter)}`"
    else:
        flags = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts))
    many = " May be repeated." if parameter.multiple else ""
    about = " ".join((parameter.help or "").split())
    default = parameter.default
    plain = isinstance(default, (str, int, float, Path)) and not isinstance(default, bool)
    shown = f"`{default}`" if plain and default != "" else "required" if parameter.required else ""
    return f"| {flags} | {_cell(about + many)} | {shown} |"


def _cell(text: str) -> str:
    """Text inside a table."""
    text = re.sub(r"(?<![`\w])(\{[^}]*\}|<[^>]*>)(?![`\w])", r"`\1`", text)
    return text.replace("|", "\\|")


def recipes() -> str:
    """Describe every recipe that ships: its paper and published scores, and all that it sets."""
    parts = [
        "# Recipes\n\nMade from `adapter_configs/`. Any value is changed on the command line with "
        "`--set`, such as `--set train.epochs=2 --set module.rank=64`, or in Python with "
        "`settings=`. The published scores are those of the papers, with their models and data; "
        "what was measured here is on the page of [benchmarks](../benchmarks.md).\n"
    ]
    for name in recipe_names():
        parts.append(recipe(load_recipe(find_recipe(name)), find_recipe(name)))
    return "\n".join(parts)


def recipe(plan: Recipe, file: Path) -> str:
    """Describe one recipe."""
    text = file.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    use = f"```text\n{_wrapped(first.lstrip('# '))}\n```\n" if "xadapt" in first else ""
    scores = [f"- {key}: {value}" for key, value in plan.source.scores.items()]
    published = "\n".join(["Published scores:\n", *scores, ""]) if scores else ""
    yaml = text[text.index("\nmodule:") + 1 :].rstrip()
    kinds = ", ".join(f"`{o.name}`" for o in plan.objectives)
    return (
        f"## `{plan.name}`\n\n{plan.description.strip()}\n\n"
        f"Module: `{plan.module.kind}`. Objectives: {kinds}. Source: [{plan.source.paper}]"
        f"({plan.source.url}). {plan.source.note.strip()}\n\n{published}\n{use}\n"
        f"```yaml\n{yaml}\n```\n"
    )


def _wrapped(command: str, width: int = 76) -> str:
    """A command in lines, broken before options."""
    lines = [""]
    for part in re.split(r" (?=--)", command):
        if len(lines[-1]) + len(part) > width:
            lines[-1] += " \\"
            lines.append("    ")
        lines[-1] += part if not lines[-1].strip() else f" {part}"
    return "\n".join(lines)
