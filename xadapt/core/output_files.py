"""Files that commands write: never over what they read, nor over a file that is not xadapt's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import (
    empty_folders_removed,
    is_stream,
    sweep_all,
    temporary_file,
    write_errors,
)
from xadapt.core.files import write_json as write

WRITTEN_BY = "written_by"
_END = re.compile(rb'"written_by": "xadapt [^"\n]*"\n\}\s*\Z')


def require_output(
    path: Path,
    *,
    reads: Iterable[str | Path | None] = (),
    force: bool = False,
    own: Callable[[Path], bool] = lambda _: False,
    todo: str = "Name another one, or add --force to replace it",
) -> None:
    """Refuse an output file that would replace something, or that can't be written.

    Nothing is left behind: this is asked before the work begins.

    Args:
        path: The file to write. A link stands for what it leads to.
        reads: What the same command reads: files, folders of bases and modules, also as
            ``NAME=FOLDER``; what is no path on this machine counts for nothing.
        force: Replace a file that is there, unless the command reads it.
        own: Whether a file that is there may be replaced without ``force``.
        todo: What a person can do about a file that is there.

    Raises:
        UserError: If the command reads it, it is there and is not to be replaced, or it can't be
            written.
    """
    with write_errors(path):
        stream, there = is_stream(path), path.exists()
    if stream:
        return
    if there:
        if any(path.samefile(one) for one in _files(reads)):
            raise UserError(
                "this file is read by the same command", where=str(path), todo="Name another one"
            )
        if not (force or own(path)):
            raise UserError("there is such a file already", where=str(path), todo=todo)
    target = Path(os.path.realpath(path))
    with write_errors(path), empty_folders_removed(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_all(target.parent)
        temporary_file(target).unlink()


def require_json(path: Path, reads: Iterable[str | Path | None] = ()) -> None:
    """Refuse a JSON file for results that xadapt did not write or that can't be written.

    Raises:
        UserError: If so.
    """
    todo = "It was not written by xadapt: name another one, or remove it"
    require_output(path, reads=reads, own=is_own_json, todo=todo)


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write results for machines, with a last entry that says who wrote them.

    Raises:
        UserError: As for `require_json`.
    """
    require_json(path)
    write(path, {**result, WRITTEN_BY: f"xadapt {_version()}"})


def is_own_json(path: Path) -> bool:
    """Whether a file is a whole one that `write_json` wrote."""
    try:
        with path.open("rb") as stream:
            first = stream.read(1)
            stream.seek(max(0, path.stat().st_size - 200))
            end = stream.read()
    except OSError:
        return False
    return first == b"{" and _END.search(end) is not None


def _files(reads: Iterable[str | Path | None]) -> Iterator[Path]:
    """The files that are read; of a folder those in it and in the folders there."""
    for given in reads:
        if given is None:
            continue
        text = str(given)
        for path in map(Path, dict.fromkeys((text, text.partition("=")[2] or text))):
            try:
                found = [path, *path.glob("*"), *path.glob("*/*")] if path.is_dir() else [path]
                yield from (one for one in found if one.is_file())
            except OSError:  # it can't be read either
                continue


def _version() -> str:
    try:
        return version("xadapt")
    except PackageNotFoundError:
        return "unknown"
