"""The folder a run writes to: what state it is in, and how a failed run leaves no trace."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.core.files import require_empty, write_errors

STATE = "run"
MANIFEST = "xadapt.json"
CHECKPOINT = "checkpoint.safetensors"
READY = "module"


def require_usable(out: Path, resume: bool) -> bool:
    """Refuse a folder this run can't write to; nothing is made yet.

    Args:
        out: The folder.
        resume: Whether an interrupted or finished run in it is to be gone on with.

    Returns:
        Whether it holds a finished module already, which ``resume`` allows.

    Raises:
        UserError: If it holds something that is not to be touched, or can't be looked at.
    """
    with write_errors(out):
        finished = (out / MANIFEST).exists()
    if finished:
        if resume:
            return True
        raise UserError(
            "the output folder holds a finished module",
            where=str(out),
            todo="Name another one, or remove it",
        )
    state = out / STATE
    if not (state.is_dir() and any(state.iterdir())):
        require_empty(out)
    elif not resume:
        raise UserError(
            "the output folder holds an unfinished run",
            where=str(out),
            todo="Add --resume to go on with it, or name another folder",
        )
    return False


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from, in the folder or below it."""
    return any(folder.rglob(CHECKPOINT)) if folder.is_dir() else False


@contextmanager
def nothing_left(out: Path, main: bool = True) -> Iterator[None]:
    """Take away what the block made in ``out`` if it fails, unless a checkpoint stands by then.

    Args:
        out: The folder of the run.
        main: Whether this process is the one that writes.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        if main and not has_checkpoint(out / STATE):
            shutil.rmtree(out / STATE, ignore_errors=True)
            for folder in made:  # the innermost first; one that holds something stays
                with contextlib.suppress(OSError):
                    folder.rmdir()
        raise


def settle(out: Path) -> None:
    """Move a finished module's files from the run's folder into place, the manifest last.

    May be called again after it was cut short anywhere: what is in place stays there.
    """
    ready = out / STATE / READY
    files = ready.iterdir() if ready.is_dir() else ()
    for file in sorted(files, key=lambda file: (file.name == MANIFEST, file.name)):
        target = out / file.name
        if target.is_dir():
            shutil.rmtree(target)
        file.replace(target)
    clear(out)


def clear(out: Path) -> None:
    """Remove what only an unfinished run needs: checkpoints and folders half written."""
    state = out / STATE
    shutil.rmtree(state / READY, ignore_errors=True)
    for left in (*state.rglob(f"*{CHECKPOINT}*"), *state.glob(f".{READY}.*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
