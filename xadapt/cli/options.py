"""Options several commands share, and lists given by repeating or by commas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xadapt.cli.launched import is_first
from xadapt.composition.text import parse
from xadapt.composition.values import names
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_json, write_json
from xadapt.languages import tags as languages

BaseOption = Annotated[
    str, typer.Option("--base", help="The encoder: Hub id, folder, package:NAME/SUBDIR or mini.")
]
ModuleOption = Annotated[
    list[str] | None,
    typer.Option("--module", help="A module: FOLDER or NAME=FOLDER; repeat for several."),
]


def _checked_json(path: Path | None) -> Path | None:
    """Refuse a file for results that can't be written, before any work begins."""
    if path is not None and is_first():
        require_json(path)
    return path


JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        dir_okay=False,
        callback=_checked_json,
        help="Also write the result here, for machines.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace the file if it is there already.")
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(help="PIVOT,LANGUAGE as numbers from 1 or names. Without: 1,2 (English first)."),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Name of the file format, if the name hides it.")
]
PivotOption = Annotated[
    str | None, typer.Option("--pivot", help="Language of the other side; else en.")
]
PIVOT = "en"
DtypeOption = Annotated[str, typer.Option(help="auto, float32, bfloat16, int8 or nf4.")]


def split(values: Sequence[str] | None) -> list[str]:
    """Flatten repeated and comma-separated values."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]


def tags(values: Sequence[str] | None) -> list[str]:
    """Language tags, checked, brought to BCP-47, each once.

    Raises:
        UserError: One is no language tag.
    """
    return list(dict.fromkeys(languages.normalise(value) for value in split(values)))


def require(condition: bool, message: str, todo: str = "") -> None:
    """Refuse a combination of options.

    Raises:
        UserError: The condition does not hold.
    """
    if not condition:
        raise UserError(message, todo=todo)


def require_named(modules: Sequence[str], *expressions: str | None) -> None:
    """Refuse modules that compositions are given without.

    Args:
        modules: ``FOLDER`` or ``NAME=FOLDER``.
        expressions: The compositions of a command; if none is given, every module is used.

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


def require_columns(data: str, lang: str, columns: str | None, file_format: str | None) -> None:
    """Refuse columns for parallel text that has none.

    Raises:
        UserError: If columns are named and the data has none.
    """
    if columns is not None:
        from xadapt.config.recipe import DataSpec
        from xadapt.data.loading.records import Source
        from xadapt.data.loading.source_options import require_used

        source = Source(data, lang, PIVOT, columns, file_format)
        require_used([source], {"train": DataSpec()})


def save_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write the result for machines, if it is asked for.

    Raises:
        UserError: If there is a file that xadapt did not write, or it can't be written.
    """
    if path is not None:
        write_json(path, result)
