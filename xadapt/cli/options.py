"""Options that several commands share, and lists given by repetition or with commas."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xadapt.cli import completion
from xadapt.cli.launched import is_first
from xadapt.composition.text import parse
from xadapt.composition.values import names
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_json, write_json
from xadapt.languages.tags import normalise

SEVERAL = "Several: separate them by commas, or repeat the option."
"""How the values of an option that takes several are given."""

BASE_HELP = "The frozen encoder: a Hub id, a folder, package:NAME/SUBDIR, or mini."
BaseOption = Annotated[
    str,
    typer.Option("--base", metavar="BASE", help=BASE_HELP, autocompletion=completion.bases),
]
OptionalBaseOption = Annotated[
    str | None,
    typer.Option("--base", metavar="BASE", help=BASE_HELP, autocompletion=completion.bases),
]
ModuleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--module",
        metavar="FOLDER",
        help=f"Folder of a module, or NAME=FOLDER. {SEVERAL}",
        autocompletion=completion.paths,
    ),
]


LoadersOption = Annotated[
    str | None,
    typer.Option(
        "--loaders",
        metavar="NAMES",
        help="Libraries to write files for: adapters, peft, transformers, sentence-transformers, "
        "separated by commas; all or none. Without it, those that can hold the module.",
    ),
]


def _checked_json(path: Path | None) -> Path | None:
    """Refuse an unwritable file for results before any work begins."""
    if path is not None and is_first():
        require_json(path)
    return path


JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        dir_okay=False,
        callback=_checked_json,
        help="Also write the result to this file, as JSON.",
    ),
]
ComposeOption = Annotated[
    str | None,
    typer.Option(
        "--compose",
        metavar="COMPOSITION",
        help="Modules that act together, such as 'mix(a:.7, b:.3)' or 'language + task'; their "
        "names are those of --module, or folders.",
    ),
]
WindowsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A text longer than the base reads: first (cut, and counted; the default), or mean or "
        "max over its overlapping windows.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        dir_okay=False,
        help="Also write a page to look through what was found, mark it and export it.",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        metavar="PIVOT,LANGUAGE",
        help="Columns of the two languages: numbers from 1, or names. Without it: as the header "
        "says, else 1,2 (English first).",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="NAME", help="Format of the files, if their names don't show it."
    ),
]
PivotOption = Annotated[
    str | None,
    typer.Option("--pivot", metavar="TAG", help="Language of the other side (default: en)."),
]
PIVOT = "en"


FormerOption = Annotated[str | None, typer.Option(hidden=True)]
"""The former name of an option, still accepted, which no help shows."""


def renamed(value: str | None, former: str | None, name: str, old: str) -> str | None:
    """Return the value of an option that may also be given by its former name.

    Raises:
        UserError: If both are given.
    """
    both = value is not None and former is not None
    require(not both, f"{old} is the former name of {name}", "Give one of them")
    return former if value is None else value


def _allow_modified(context: typer.Context, value: bool) -> bool:
    """Allow modified folders until the command ends."""
    if value:
        from xadapt.hub.integrity import allowing_modified

        context.with_resource(allowing_modified())
    return value


AllowModifiedOption = Annotated[
    bool,
    typer.Option(
        "--allow-modified",
        callback=_allow_modified,
        help="Load module folders whose files were changed after publication.",
    ),
]


def _allow_base_mismatch(context: typer.Context, value: bool) -> bool:
    """Allow modules of another base until the command ends."""
    if value:
        from xadapt.hub.base_mismatch import allowing_base_mismatch

        context.with_resource(allowing_base_mismatch())
    return value


AllowBaseMismatchOption = Annotated[
    bool,
    typer.Option(
        "--allow-base-mismatch",
        callback=_allow_base_mismatch,
        help="Load modules of another base whose shapes fit. What is saved states it.",
    ),
]
DtypeOption = Annotated[
    str,
    typer.Option(
        metavar="TYPE",
        help="Type of the encoder's weights: auto, float32, bfloat16, int8 or nf4.",
        autocompletion=completion.dtypes,
    ),
]


def split(values: Sequence[str] | None) -> list[str]:
    """Flatten repeated and comma-separated values; an existing path with a comma is one value.

    A value may start with a name (``NAME=PATH``).
    """
    return [part for value in values or () for part in _paths(value.split(","), _exists)]


def split_sources(
    values: Sequence[str] | None, tags: Sequence[str], pivot: str, pairs: Mapping[str, bool]
) -> list[tuple[str, str]]:
    """Flatten repeated and comma-separated sources of data.

    An existing path (or Moses prefix) with a comma is one source. The two files of a Moses pair
    are also one source. Such a pair is two paths with the pivot and a language in their names, or
    two existing files for a single language. All other values are split at commas. ``{lang}``
    stands for each language.

    Args:
        values: The values of the option: ``PATH``, ``A,B`` or ``NAME=PATH``.
        tags: The languages.
        pivot: Language of the other side.
        pairs: For each entry of the recipe's data, by name, whether the entry holds parallel text.

    Returns:
        ``(entry, source)``. A source without a name belongs to the entry ``train``.
    """
    from xadapt.data.readers.moses import is_prefix
    from xadapt.data.readers.sides import Request

    def exists(path: str) -> bool:
        spelt = [(path.replace("{lang}", tag), Request(tag, pivot)) for tag in tags]
        return any(_exists(one) or is_prefix(one, request) for one, request in spelt)

    found: list[tuple[str, str]] = []
    for value in values or ():
        for name, parts in _by_entry(value.split(","), pairs):
            paths = _paths(parts, exists)
            whole = pairs.get(name, False) and _is_pair(paths, tags, pivot, exists)
            found += [(name, path) for path in ([",".join(paths)] if whole else paths)]
    return found


def _exists(value: str) -> bool:
    name, _, path = value.partition("=")
    try:
        return Path(value).exists() or bool(path and "," not in name and Path(path).exists())
    except (OSError, ValueError):
        return False


def _paths(parts: Sequence[str], exists: Callable[[str], bool]) -> list[str]:
    """Join neighbouring parts again where the result is an existing path, the longest first."""
    found: list[str] = []
    start = 0
    while start < len(parts):
        ends = range(len(parts), start + 1, -1)
        joined = ((end, ",".join(parts[start:end]).strip()) for end in ends)
        whole = ((end, path) for end, path in joined if exists(path))
        start, path = next(whole, (start + 1, parts[start].strip()))
        found += [path] if path else []
    return found


def _by_entry(parts: Sequence[str], names: Collection[str]) -> list[tuple[str, list[str]]]:
    """Group parts by their data entry; a name applies to the parts that follow the name."""
    found: list[tuple[str, list[str]]] = []
    for part in parts:
        name, equals, path = part.strip().partition("=")
        if equals and name in names:
            found.append((name, [path]))
        elif found:
            found[-1][1].append(part)
        else:
            found.append(("train", [part]))
    return found


def _is_pair(
    paths: Sequence[str], tags: Sequence[str], pivot: str, exists: Callable[[str], bool]
) -> bool:
    """Whether two paths are the two files of a Moses pair."""
    from xadapt.data.readers.moses import is_pair, may_be_pair
    from xadapt.data.readers.sides import Request

    for tag in tags:
        if is_pair([path.replace("{lang}", tag) for path in paths], Request(tag, pivot)):
            return True
    return len(tags) == 1 and may_be_pair(paths) and all(map(exists, paths))


def tags(values: Sequence[str] | None) -> list[str]:
    """Check language tags and convert them to BCP-47, each once.

    Raises:
        UserError: If a value is not a language tag.
    """
    parts = [part.strip() for value in values or () for part in value.split(",")]
    return list(dict.fromkeys(normalise(part) for part in parts if part))


def require(condition: bool, message: str, todo: str = "") -> None:
    """Refuse a combination of options.

    Raises:
        UserError: If the condition does not hold.
    """
    if not condition:
        raise UserError(message, todo=todo)


def require_named(modules: Sequence[str], *expressions: str | None) -> None:
    """Refuse modules that no composition names.

    Args:
        modules: ``FOLDER`` or ``NAME=FOLDER``.
        expressions: The compositions of a command. Without any, every module is used.

    Raises:
        UserError: If a module is named in none of them.
    """
    given = [text for text in expressions if text is not None]
    used = {name for text in given for name in names(parse(text))}
    if not given or any(name.startswith("lang:") for name in used):
        return
    for module in modules:
        name = module if Path(module).is_dir() else module.partition("=")[0]
        require(
            name in used,
            f"--module {module}: no composition names {name!r}, so it would do nothing",
            "Leave it out, or name it in the composition",
        )


def save_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write the result as JSON, if requested.

    Raises:
        UserError: If the path holds a file that xadapt did not write, or can't be written.
    """
    if path is not None:
        write_json(path, {**result, **_mismatches()})


def _mismatches() -> dict[str, list[str]]:
    """Return the modules of another base that the command was allowed to use."""
    if "xadapt.hub.base_mismatch" not in sys.modules:  # no module was opened
        return {}
    from xadapt.hub.base_mismatch import FACT, base_mismatches

    return {FACT: found} if (found := base_mismatches()) else {}
