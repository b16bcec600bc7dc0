"""A composition on disk: ``composition.json`` and, below it, the modules it names."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from xadapt.composition.text import parse, show
from xadapt.composition.values import ARROW, Composition, names, replaced
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json, write_text
from xadapt.hub.folder import MODULE
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.opening import open_folder

FILE, MODULES = "composition.json", "modules"
MAX_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}", re.ASCII)


def write_composition(
    path: Path | str, composition: Composition, folders: Mapping[str, Path]
) -> Composition:
    """Write a composition with copies of its modules, whole or not at all.

    Args:
        path: The folder to make.
        composition: What to write.
        folders: The folder of each module it names.

    Returns:
        The composition as written: over the modules' names in the folder.

    Raises:
        UserError: The folder is not empty or can't be written, or a module can't be read.
    """
    own = own_names(composition, folders)
    written = replaced(composition, dict(own))
    with atomic_folder(path) as folder:
        for name, place in own.items():
            open_folder(folders[name])  # nothing malformed is copied
            target = folder / MODULES / place
            target.mkdir(parents=True, exist_ok=True)
            for file in (MANIFEST, MODULE):
                shutil.copyfile(folders[name] / file, target / file)
        write_json(folder / FILE, {"schema_version": 1, "composition": show(written)})
        write_text(folder / "README.md", _card(written))
    return written


def open_composition(path: Path | str) -> tuple[Composition, dict[str, Path]] | None:
    """The composition of a folder and the folders of its modules; ``None`` if it holds none.

    Raises:
        UserError: Its file is malformed, or names what is not in the folder.
    """
    folder = Path(path)
    file = folder / FILE
    if not file.is_file():
        return None
    if file.is_symlink() or file.stat().st_size > MAX_BYTES:
        raise UserError("this is no composition", where=str(file))
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        text = said["composition"]
        assert said["schema_version"] == 1 and isinstance(text, str)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        raise UserError("this is no composition", where=str(file)) from None
    composition = parse(text)
    wrong = [name for name in names(composition) if not _NAME.fullmatch(name)]
    if wrong:
        raise UserError(f"{wrong[0]!r} is no name of a module here", where=str(file))
    return composition, {name: folder / MODULES / name for name in names(composition)}


def own_names(composition: Composition, folders: Mapping[str, Path]) -> dict[str, str]:
    """A short name for each name, from its folder; one folder has one."""
    taken: dict[str, Path] = {ARROW: Path()}  # a module of this name would be no router
    found = {}
    for name in names(composition):
        place = folders[name].resolve()
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", place.name, flags=re.ASCII).strip("-_") or "module"
        short, number = plain[:80], 1
        while taken.setdefault(short, place) != place:
            number += 1
            short = f"{plain[:80]}-{number}"
        found[name] = short
    return found


def _card(composition: Composition) -> str:
    return f"""# A composition of modules

```
{show(composition)}
```

The modules stand under `{MODULES}`, each with what it was trained on and measured by in its
`{MANIFEST}`. xadapt loads them together on the base they name:

```python
import xadapt

vectors = xadapt.load(base, "this folder").encode(texts, languages)
```
"""
