"""Finding the data folders that ship with the package: ``kg_data`` and ``adapter_configs``.

In a checkout, both are at the top, where people read and edit them. In a wheel, both are inside the
package, where ``setup.py`` copies them. An editable install uses the folders of the checkout.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from xadapt.core.errors import UserError

Folder = Literal["kg_data", "adapter_configs"]


def resource(folder: Folder, *parts: str) -> Path:
    """Return the path of a shipped file or folder.

    For example, ``resource("kg_data", "cldr", "frames.yaml")``.

    Args:
        folder: The data folder.
        parts: Names below the folder, one per level. Without names, the result is the folder.

    Raises:
        UserError: If there is no such file, or a part leads out of the folder.
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
    # the folder beside the package is ours only in a checkout; in site-packages it may be another's
    if (package.parent / "pyproject.toml").is_file() and beside.is_dir():
        return beside
    raise UserError(f"the data folder {folder!r} is missing", todo="Reinstall xadapt")
