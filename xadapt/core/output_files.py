"""Output files of commands. They never replace an input, nor a file that is not xadapt's."""

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
    """Refuse an output file that would replace another file, or that can't be written.

    The check leaves no files behind. It runs before the work begins.

    Args:
        path: The file to write. For a link, its target counts.
        reads: The inputs of the same command: files, and folders of bases and modules, also as
            ``NAME=FOLDER``. Values that are not paths on this machine are ignored.
        force: Whether to replace an existing file, unless the command reads it.
        own: A predicate: whether an existing file may be replaced without ``force``.
        todo: Advice to the user if the file exists.

    Raises:
        UserError: If the command reads the file, if the file exists and must not be replaced, or
            if the file can't be written.
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


def require_outputs(
    paths: Iterable[Path | None],
    *,
    reads: Iterable[str | Path | None] = (),
    force: bool = False,
    json: Path | None = None,
) -> None:
    """Refuse the output files of one command as `require_output` does, and two that are one file.

    Args:
        paths: The files to write; ``None`` stands for an output that is not asked for.
        reads: As for `require_output`.
        force: As for `require_output`.
        json: The file for results, which `require_json` checks; it must be another file too.

    Raises:
        UserError: If a file is refused, or two outputs are one file.
    """
    written = [path for path in paths if path is not None]
    inputs = list(reads)
    for path in written:
        require_output(path, reads=inputs, force=force)
    seen: set[str] = set()
    for path in (*written, *([json] if json is not None else [])):
        place = os.path.realpath(path)
        if place in seen and not is_stream(path):
            raise UserError("two outputs are one file", where=str(path), todo="Name another")
        seen.add(place)


def require_json(path: Path, reads: Iterable[str | Path | None] = ()) -> None:
    """Refuse a JSON file for results that exists and is not xadapt's, or that can't be written.

    Raises:
        UserError: If the file is refused.
    """
    todo = "It was not written by xadapt: name another one, or remove it"
    require_output(path, reads=reads, own=is_own_json, todo=todo)


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write machine-readable results, with a last entry that names the writer.

    Raises:
        UserError: If `require_json` refuses the file, or the file can't be written.
    """
    require_json(path)
    write(path, {**result, WRITTEN_BY: f"xadapt {_version()}"})


def is_own_json(path: Path) -> bool:
    """Whether a file is complete and was written by `write_json`."""
    try:
        with path.open("rb") as stream:
            first = stream.read(1)
            stream.seek(max(0, path.stat().st_size - 200))
            end = stream.read()
    except OSError:
        return False
    return first == b"{" and _END.search(end) is not None


def _files(reads: Iterable[str | Path | None]) -> Iterator[Path]:
    """Yield the files that are read; for a folder, the files in it and in its subfolders."""
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
