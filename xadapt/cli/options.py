"""Options several commands share, and lists given by repeating or by commas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xadapt.core.errors import UserError
from xadapt.core.files import write_json
from xadapt.languages import tags as languages

BaseOption = Annotated[
    str, typer.Option("--base", help="The encoder: Hub id, folder, package:NAME/SUBDIR or mini.")
]
ModuleOption = Annotated[
    list[str] | None,
    typer.Option("--module", help="A module: FOLDER or NAME=FOLDER; repeat for several."),
]
JsonOption = Annotated[
    Path | None,
    typer.Option("--json", dir_okay=False, help="Also write the result here, for machines."),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(help="PIVOT,LANGUAGE as numbers from 1 or names. Without: 1,2 (English first)."),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Name of the file format, if the name hides it.")
]
PivotOption = Annotated[str, typer.Option("--pivot", help="Language of the other side.")]


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
        help="Load module folders that are not what was published.",
    ),
]
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


def save_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write the result for machines, if it is asked for."""
    if path is not None:
        write_json(path, dict(result))
