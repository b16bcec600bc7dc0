"""Safe paths in an untrusted folder: no file is read through a link that leaves the folder."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path, PurePosixPath

from xadapt.core.errors import UserError


def file_inside(folder: Path | str, name: str) -> Path:
    """Find a file of a folder.

    A link may only lead into the blobs of the Hub's own cache, if the folder is a snapshot there
    or is inside a snapshot. The folders between may not be links.

    Args:
        folder: The folder; it may itself be a link.
        name: The file's path inside it, with forward slashes.

    Raises:
        UserError: If there is no such regular file, or a link leads elsewhere.
    """
    folder = Path(folder)
    steps = list(accumulate(_parts(folder, name), Path.joinpath, initial=folder))[1:]
    file = steps[-1]
    if not has_file(folder, name) or not file.is_file():
        raise UserError(f"the folder has no file {name}", where=str(folder))
    if not any(step.is_symlink() for step in steps):
        return file
    home, real = folder.resolve(), _resolved(file)
    own = home.joinpath(*PurePosixPath(name).parts)
    if real != own and not (file.parent.resolve() == own.parent and real.parent == _blobs(home)):
        raise UserError("a link that leaves the folder is not followed", where=str(file))
    return file


def folder_inside(folder: Path | str, name: str) -> Path:
    """Find a folder inside a folder, with no link in the path.

    Raises:
        UserError: If a part of the path is a link.
    """
    folder = Path(folder)
    parts = _parts(folder, name)
    found = folder.joinpath(*parts)
    if _resolved(found) != folder.resolve().joinpath(*parts):
        raise UserError("a link that leaves the folder is not followed", where=str(found))
    return found


def has_file(folder: Path | str, name: str) -> bool:
    """Whether a file, a folder or a link of that name exists."""
    file = Path(folder) / name
    try:
        return file.is_symlink() or file.exists()
    except OSError:  # such as a name that is too long
        return False


def is_folder(path: Path | str) -> bool:
    """Whether a path is a folder or a link to a folder; any path is accepted."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def _parts(folder: Path, name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name:
        raise UserError(f"{name!r} is no name of a file inside", where=str(folder))
    return parts


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself, or a zero byte
        raise UserError("this can't be followed", where=str(path)) from None


def _blobs(home: Path) -> Path | None:
    """Return the blobs folder of the Hub's cache, for a folder in one of its snapshots."""
    for folder in (home, *home.parents):
        if folder.parent.name == "snapshots":
            return folder.parents[1] / "blobs"
    return None
