"""Finding the data folders that travel with the package: ``kg_data`` and ``adapter_configs``.

Both stand at the top of a checkout, where people read and edit them, and inside the package in
a wheel, where ``setup.py`` copies them. An editable install uses the checkout's own.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from xadapt.core.errors import UserError

Folder = Literal["kg_data", "adapter_configs"]


def resource(folder: Folder, *parts: str) -> Path:
    """The path of a shipped file or folder, such as ``resource("kg_data", "cldr", "frames.yaml")``.

    Args:
        folder: Which of the data folders.
        parts: Names below it, one a level; without any, the folder itself.

    Raises:
        UserError: There is no such file, or a part leads out of the folder.
    """
    top = _top(folder)
    wanted = top.joinpath(*parts)
    name = "/".join((folder, *parts))
    if not wanted.resolve().is_relative_to(top.resolve()):
        raise UserError(f"{name!r} leads out of {folder}")
    if not wanted.exists():
        near = wanted.parent if wanted.parent.is_dir() else top
        known = sorted(p.name for p in near.iterdir())
        guess = difflib.get_close_matches(wanted.name, known, n=1, cutoff=0.5) or known[:8]
        raise UserError(
            f"xadapt ships no {name!r}", todo=f"Did you mean {', '.join(guess)}?" if guess else ""
        )
    return wanted


def _top(folder: Folder) -> Path:
    package = Path(__file__).parent.parent
    inside, beside = package / folder, package.parent / folder
    if inside.is_dir():
        return inside
    # beside is only ours in a checkout; in site-packages the same name could be anyone's
    if (package.parent / "pyproject.toml").is_file() and beside.is_dir():
        return beside
    raise UserError(f"the data folder {folder!r} is missing", todo="Reinstall xadapt")
