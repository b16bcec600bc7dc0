"""``encoder.json``: what a saved encoder needs besides its modules, above all the name of its base.

The file stands beside ``xadapt.json`` (an encoder with one module) or ``composition.json`` (with
several). It also holds the hash of every file that was saved, so that a saved folder is replaced
only where nobody has changed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from xadapt.backbones.bases import SHIPPED, split_hub_id
from xadapt.core.errors import UserError
from xadapt.core.files import LOCK, write_json
from xadapt.core.strict_parsing import parse_json, read_bytes
from xadapt.hub.base_mismatch import base_mismatches
from xadapt.hub.hashes import STRICT, FileHash, Sha256, content_hash, file_hash
from xadapt.hub.integrity import same_file
from xadapt.hub.safe_paths import file_inside, has_file

FILE = "encoder.json"
MAX_BYTES = 1 << 20


class SavedEncoder(BaseModel):
    """The content of ``encoder.json``.

    Attributes:
        base: The base: a Hub id with an optional revision, ``package:NAME/SUBDIR``, or the name of
            a base that comes with xadapt; a folder only where the user asked for that. ``None``
            if the base was a folder or in memory.
        fingerprint: The fingerprint of the base.
        files: Hashes of all other files, by their path in the folder.
        base_mismatch: A line for each module of another base, where that was allowed.
        sha256: The hash of all other fields; folders of older versions lack it.
    """

    model_config = STRICT
    schema_version: Literal[1] = 1
    base: str | None = Field(default=None, max_length=4096)
    fingerprint: str = Field(max_length=200)
    files: dict[str, FileHash] = Field(default_factory=dict)
    base_mismatch: list[str] = Field(default_factory=list, max_length=100)
    sha256: Sha256 | None = None


def write_encoder_file(folder: Path, base: str | None, fingerprint: str) -> None:
    """Write ``encoder.json`` into a folder in which all other files are finished."""
    files = {name: file_hash(folder / name) for name in _files(folder) if name != FILE}
    saved = SavedEncoder(
        base=base, fingerprint=fingerprint, files=files, base_mismatch=base_mismatches()
    )
    said = saved.model_dump(mode="json", exclude={"sha256"})
    write_json(folder / FILE, {**said, "sha256": content_hash(said)})


def is_unchanged(said: Mapping[str, Any]) -> bool:
    """Whether the content of ``encoder.json`` has its own hash."""
    own = {key: value for key, value in said.items() if key != "sha256"}
    return content_hash(own) == said.get("sha256")


def read_encoder_file(folder: Path | str) -> SavedEncoder | None:
    """Read ``encoder.json`` of a folder; ``None`` if the folder has none.

    Raises:
        UserError: If the file is malformed, too large, or a link that leads elsewhere.
    """
    folder = Path(folder)
    if not has_file(folder, FILE):
        return None
    where = str(folder / FILE)
    try:
        said = parse_json(read_bytes(file_inside(folder, FILE), MAX_BYTES), where=where)
        return SavedEncoder.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
        raise UserError(f"this is no saved encoder ({reason})", where=where) from None


def is_portable(base: str) -> bool:
    """Whether a base is named in a way that other machines understand: never by a local path."""
    return base in SHIPPED or base.startswith("package:") or split_hub_id(base) is not None


def require_unchanged(folder: Path) -> None:
    """Refuse to replace a folder that is no saved encoder, or was changed since it was saved.

    Raises:
        UserError: If the folder is none, or a file was added or changed.
    """
    todo = "Name another folder, or remove it"
    saved = read_encoder_file(folder) if folder.is_dir() else None
    if saved is None:
        raise UserError(
            "the folder is not empty, and no saved encoder", where=str(folder), todo=todo
        )
    for name in _files(folder):
        if name in (FILE, LOCK):
            continue
        hashed = saved.files.get(name)
        if hashed is None or not same_file(folder, name, hashed):
            what = "added" if hashed is None else "changed"
            raise UserError(
                f"{name} was {what} since the encoder was saved", where=str(folder), todo=todo
            )


def _files(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, with forward slashes."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()
