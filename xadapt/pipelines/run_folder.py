"""The folder of a run: check its state, and remove the files of a failed run."""

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
    """Refuse a folder to which this run can't write; nothing is written yet.

    Args:
        out: The folder.
        resume: Whether to continue an interrupted or finished run in the folder.

    Returns:
        Whether the folder holds a finished module already, which ``resume`` allows.

    Raises:
        UserError: If the folder holds files that must not be changed, or can't be read.
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
    """Whether there is a checkpoint to continue from, in the folder or below."""
    return any(folder.rglob(CHECKPOINT)) if folder.is_dir() else False


@contextmanager
def nothing_left(out: Path, main: bool = True) -> Iterator[None]:
    """Remove the files that a failed block made in ``out``, unless there is a checkpoint by then.

    Args:
        out: The folder of the run.
        main: Whether this process writes the files.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        if main and not has_checkpoint(out / STATE):
            shutil.rmtree(out / STATE, ignore_errors=True)
            for folder in made:  # the innermost first; a folder with files stays
                with contextlib.suppress(OSError):
                    folder.rmdir()
        raise


def settle(out: Path) -> None:
    """Move a finished module's files from the run's folder into place, the manifest last.

    The function may be called again after an interruption: files in place stay there.
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
    """Remove files that only an unfinished run needs: checkpoints and incomplete folders."""
    state = out / STATE
    shutil.rmtree(state / READY, ignore_errors=True)
    for left in (*state.rglob(f"*{CHECKPOINT}*"), *state.glob(f".{READY}.*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
