"""A composition on disk: ``composition.json`` and folders of the modules that it names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from xadapt.composition.text import parse, show
from xadapt.composition.values import ARROW, Composition, names, replaced
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, write_json, write_text
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.hub.base_mismatch import base_mismatches, mismatch_lines
from xadapt.hub.card import composition_data
from xadapt.hub.hashes import STRICT, FileHash, Sha256, content_hash, file_hash
from xadapt.hub.head_files import FILE as HEAD
from xadapt.hub.integrity import CARD, judge, manifest_hash, same_file, seal
from xadapt.hub.manifest import FILE as MANIFEST
from xadapt.hub.manifest import Manifest, save_manifest
from xadapt.hub.markdown import code, escaped
from xadapt.hub.opening import manifest_content, open_folder
from xadapt.hub.safe_paths import file_inside, folder_inside, has_file

FILE, MODULES = "composition.json", "modules"
MAX_BYTES = 1 << 20


class SavedComposition(BaseModel):
    """The content of ``composition.json``. Version 1 holds only the text.

    Attributes:
        composition: The text, over names of folders under ``modules``.
        modules: For each module, the hash of its manifest's content.
        files: Hashes of other files.
        base_mismatch: A line for each module of another base, where that was allowed.
        sha256: The hash of all other fields.
    """

    model_config = STRICT
    schema_version: Literal[1, 2]
    composition: str
    modules: dict[str, Sha256] = Field(default_factory=dict)
    files: dict[str, FileHash] = Field(default_factory=dict)
    base_mismatch: list[str] = Field(default_factory=list, max_length=100)
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _has_what_its_version_has(self) -> SavedComposition:
        if (self.schema_version == 2) != (self.sha256 is not None):
            raise ValueError("version 2 has hashes, and version 1 has none")
        return self


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}", re.ASCII)


def write_composition(
    path: Path | str,
    composition: Composition,
    folders: Mapping[str, Path],
    *,
    finish: Callable[[Path], None] = lambda _: None,
    replace: bool = False,
) -> Composition:
    """Write a composition with copies of its modules and their heads, whole or not at all.

    Args:
        path: The folder to make.
        composition: The composition to write.
        folders: The folder of each module of the composition.
        finish: Called with the finished folder before it takes its place.
        replace: Replace an existing folder.

    Returns:
        The composition as written, over the modules' names in the folder.

    Raises:
        UserError: If the folder is not empty or can't be written, or a module can't be read.
    """
    own = own_names(composition, folders)
    written = replaced(composition, dict(own))
    manifests = {}
    with atomic_folder(path, replace=replace) as folder:
        for name, place in own.items():
            manifest, _ = open_folder(folders[name])  # nothing malformed is copied
            manifests[place] = manifest
            target = folder / MODULES / place
            target.mkdir(parents=True, exist_ok=True)
            head = [HEAD] if manifest.head is not None else []
            for file in (MANIFEST, manifest.module.file, *head):
                shutil.copyfile(file_inside(folders[name], file), target / file)
            if manifest.integrity is None:
                save_manifest(target, seal(target, manifest, [manifest.module.file]))
        write_text(folder / CARD, _card(written, manifests))
        write_json(folder / FILE, _sealed(folder, written))
        finish(folder)
    return written


def open_composition(path: Path | str) -> tuple[Composition, dict[str, Path]] | None:
    """Open the composition of a folder and the folders of its modules.

    The result is ``None`` if the folder holds no composition.

    Raises:
        UserError: If the composition file is malformed or names a module that is not in the
            folder, a link leads out of the folder, or the text or a module's manifest differs
            from the published version.
    """
    folder = Path(path)
    if not has_file(folder, FILE):
        return None
    said, saved = read_saved(folder)
    composition = parse(saved.composition)
    wrong = [name for name in names(composition) if not _NAME.fullmatch(name)]
    if wrong:
        raise UserError(f"{wrong[0]!r} is no name of a module here", where=str(folder / FILE))
    folders = {name: folder_inside(folder, f"{MODULES}/{name}") for name in names(composition)}
    if saved.sha256 is not None:
        _check(folder, said, saved, folders)
    return composition, folders


def read_saved(folder: Path) -> tuple[dict[str, Any], SavedComposition]:
    """Read ``composition.json``, as raw JSON and as a validated record.

    Raises:
        UserError: If it is absent, malformed or too large.
    """
    where = str(folder / FILE)
    try:
        raw = read_bytes(file_inside(folder, FILE), MAX_BYTES)
        said = parse_json(raw, where=where)
        return said, SavedComposition.model_validate(said)
    except UserError as error:
        at = error.where if error.where.startswith(where) else where
        raise UserError(f"this is no composition: {error.what}", where=at) from None
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
        raise UserError(f"this is no composition ({reason})", where=where) from None


def _sealed(folder: Path, composition: Composition) -> dict[str, Any]:
    """Build the content of ``composition.json``: the text, and hashes of all other content."""
    places = sorted(place.name for place in (folder / MODULES).glob("*"))
    said = {
        "schema_version": 2,
        "composition": show(composition),
        "modules": {
            place: manifest_hash(manifest_content(folder / MODULES / place)) for place in places
        },
        "files": {CARD: file_hash(folder / CARD).model_dump()},
    }
    if base_mismatches():
        said["base_mismatch"] = base_mismatches()
    return said | {"sha256": content_hash(said)}


def reseal_card(folder: Path) -> None:
    """Put the hash of a card that its author edited into ``composition.json``.

    Raises:
        UserError: If the file is malformed.
    """
    said, saved = read_saved(folder)
    if saved.sha256 is None or CARD not in saved.files:
        return
    now = file_hash(folder / CARD)
    if now != saved.files[CARD]:
        files = {**said["files"], CARD: now.model_dump()}
        changed = {**said, "files": files}
        del changed["sha256"]
        write_json(folder / FILE, changed | {"sha256": content_hash(changed)})


def _check(
    folder: Path, said: Mapping[str, Any], saved: SavedComposition, folders: Mapping[str, Path]
) -> None:
    """Refuse a composition that differs from the published version.

    The modules themselves are checked when they are loaded.
    """
    differs = [
        f"{MODULES}/{name}/{MANIFEST}"
        for name, place in folders.items()
        if manifest_hash(manifest_content(place)) != saved.modules.get(name)
    ]
    if content_hash({key: value for key, value in said.items() if key != "sha256"}) != saved.sha256:
        differs.append(f"the content of {FILE}")
    differs += [name for name, own in saved.files.items() if not same_file(folder, name, own)]
    judge(folder, differs)


def own_names(composition: Composition, folders: Mapping[str, Path]) -> dict[str, str]:
    """Make a short name for each name, from its folder; each folder has one short name."""
    taken: dict[str, Path] = {ARROW: Path()}  # a module of this name would be no router
    found = {}
    for name in names(composition):
        place = folders[name].resolve()
        title = _title(place)
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", title, flags=re.ASCII).strip("-_") or "module"
        short, number = plain[:80], 1
        while taken.setdefault(short, place) != place:
            number += 1
            short = f"{plain[:80]}-{number}"
        found[name] = short
    return found


def _title(place: Path) -> str:
    """Return the name of a folder; of a snapshot in the Hub's cache, that of its repository."""
    if place.parent.name == "snapshots":
        return place.parents[1].name.split("--")[-1]
    return place.name


def _card(composition: Composition, manifests: Mapping[str, Manifest]) -> str:
    header = composition_data(list(manifests.values()), show(composition)).to_yaml()
    rows = "\n".join(_row(name, manifest) for name, manifest in manifests.items())
    return f"""---
{header}
---

# A composition of modules

```
{show(composition)}
```

| module | kind | languages | base | made from |
| --- | --- | --- | --- | --- |
{rows}

The modules stand under `{MODULES}`, each with what it was trained on and measured by in its
`{MANIFEST}`. xadapt loads them together on the base they name:

```python
import xadapt

vectors = xadapt.load(base, "this folder").encode(texts, languages)
```
{mismatch_lines()}"""


def _row(name: str, manifest: Manifest) -> str:
    """Return the line of a module in the card's table, with the modules that it was made from."""
    started = [one.id or one.name for one in manifest.started_from]
    parents = dict.fromkeys([*manifest.parents, *manifest.trained_inside, *started])
    base = manifest.base
    own = code(base.id) if base.id else f"of type {escaped(base.model_type)}"
    cells = (
        code(name),
        escaped(manifest.module.kind),
        ", ".join(map(code, manifest.languages)) or "every",
        own,
        ", ".join(map(code, parents)),
    )
    return f"| {' | '.join(cells)} |"
