"""The end of a command: its page, its JSON, its table, and the names of what was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from xadapt.cli import options


def finished(
    command: str, result: Any, written: Sequence[Path | None], json: Path | None, page: Path | None
) -> None:
    """Write the page and the JSON of a result, print its table, and name the files.

    Args:
        command: The name of the command.
        result: The result, with ``write_page``, ``to_dict`` and ``table``.
        written: The files that were written; ``None`` for one that is not asked for.
        json: The file for the JSON, if it is asked for.
        page: The file for the page, if it is asked for; it is in ``written`` too.

    Raises:
        UserError: If a file can't be written.
    """
    if page is not None:
        result.write_page(page)
    options.save_json(json, {"command": command, **result.to_dict()})
    Console(highlight=False).print(result.table())
    for path in written:
        if path is not None:
            typer.echo(f"wrote {path}")
