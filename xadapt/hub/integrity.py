"""Integrity of a folder: hashes are made when the folder is written and checked on load.

A hash detects damage and edits. A hash does not prove the author: a person who changes a file
can also write a new hash. An edited card gives a notice. Any other change is refused unless it is
allowed.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, load_file

from xadapt.core.errors import Notice, UserError
from xadapt.hub.hashes import FileHash, Integrity, content_hash, file_hash, is_file, tensor_hashes
from xadapt.hub.manifest import FILE, Manifest
from xadapt.hub.safe_paths import file_inside, has_file

CARD = "README.md"
FIELD = "integrity"
SHOWN = 3
ALLOW = "--allow-modified (allow_modified=True in Python) loads it all the same"

_allowed: ContextVar[bool] = ContextVar("allowed", default=False)


class IntegrityNotice(Notice):
    """A notice that a folder can't be checked, or is used despite a change after publication."""


@contextmanager
def allowing_modified(allowed: bool = True) -> Iterator[None]:
    """Allow folders that differ from the published version inside the block; a notice names them.

    Args:
        allowed: If false, the context has no effect.
    """
    token = _allowed.set(_allowed.get() or allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def seal(folder: Path, manifest: Manifest, tensors: Sequence[str]) -> Manifest:
    """Return the manifest with the hashes of a finished folder.

    Args:
        folder: The folder, with every file but the manifest.
        manifest: The manifest without these hashes.
        tensors: The safetensors files that xadapt reads.
    """
    files = {
        path.relative_to(folder).as_posix(): file_hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / FILE
    }
    named = {name: tensor_hashes(load_file(folder / name)) for name in sorted(tensors)}
    made = Integrity(manifest="0" * 64, files=files, tensors=named)
    return with_hashes(manifest.model_copy(update={"schema_version": 2}), made)


def resealed(
    manifest: Manifest, said: Mapping[str, Any], files: Mapping[str, FileHash]
) -> Manifest:
    """Return the manifest of a folder in which some files were replaced by their author.

    Args:
        manifest: The manifest.
        said: Its JSON as it is in the file.
        files: The new hashes, by name.

    Raises:
        UserError: If the manifest has no hashes, or its content is not that of its own hash.
    """
    made = manifest.integrity
    if made is None or manifest_hash(said) != made.manifest:
        raise UserError(f"the content of {FILE} is not that of its own hash")
    return with_hashes(manifest, made.model_copy(update={"files": {**made.files, **files}}))


def with_hashes(manifest: Manifest, made: Integrity) -> Manifest:
    """Return the manifest with hashes of files, and with the hash of its own content renewed."""
    changed = manifest.model_copy(update={FIELD: made})
    own = manifest_hash(json.loads(changed.model_dump_json()))
    return changed.model_copy(update={FIELD: made.model_copy(update={"manifest": own})})


def manifest_hash(said: Mapping[str, Any]) -> str:
    """Compute the hash of a manifest's content, without the field of this hash itself."""
    hashes = said.get(FIELD) or {}
    return content_hash({**said, FIELD: {k: v for k, v in hashes.items() if k != "manifest"}})


def check_folder(
    folder: Path, manifest: Manifest, said: Mapping[str, Any], held: Mapping[str, bytes]
) -> None:
    """Refuse a module's folder that differs from the published version.

    Absent files are allowed: a folder may be copied without the files of other libraries.

    Args:
        folder: The folder.
        manifest: Its manifest.
        said: The JSON of the manifest as it is in the file.
        held: The bytes of files that are read already, by name.

    Raises:
        UserError: If a hash differs and the difference is not allowed.
    """
    hashes = manifest.integrity
    if hashes is None:
        _notify(folder, "was written before xadapt kept hashes: whether it is whole can't be seen")
        return
    found = []
    if manifest_hash(said) != hashes.manifest:
        found.append(f"the content of {FILE}")
    for name, hashed in hashes.files.items():
        if not same_file(folder, name, hashed, held.get(name)):
            found.append(name + _tensors_in(name, hashes, held.get(name)))
    found += [f"{name} (not among its files)" for name in held if name not in hashes.files]
    judge(folder, found)


def check_file(folder: Path, hashes: Integrity | None, name: str, raw: bytes) -> None:
    """Refuse a file that differs from the published version; see `check_folder`.

    Raises:
        UserError: If the hash of the file differs or is unknown, and this is not allowed.
    """
    if hashes is None:
        return
    hashed = hashes.files.get(name)
    if hashed is None:
        judge(folder, [f"{name} (not among its files)"])
    elif not is_file(folder / name, hashed, raw):
        judge(folder, [name + _tensors_in(name, hashes, raw)])


def judge(folder: Path, differs: Sequence[str]) -> None:
    """Refuse a folder with parts that differ from the published version; a card gives a notice.

    Raises:
        UserError: If a part other than the card differs and the difference is not allowed.
    """
    wrong = [what for what in differs if not what.startswith(CARD)]
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    what = f"this is not what was published (other: {', '.join(wrong[:SHOWN])}{more})"
    if wrong and not _allowed.get():
        raise UserError(what, where=str(folder), todo=f"Fetch the folder again; {ALLOW}")
    if wrong:
        _notify(folder, what)
    elif differs:
        _notify(folder, f"{CARD} was edited after it was published; all else is as it was")


def same_file(folder: Path, name: str, hashed: FileHash, raw: bytes | None = None) -> bool:
    """Whether a file of a folder is absent or unchanged.

    Args:
        folder: The folder.
        name: The file's path in it.
        hashed: The expected size and hashes.
        raw: The bytes of the file, if they are read already.
    """
    if raw is None and not has_file(folder, name):
        return True
    try:
        return is_file(file_inside(folder, name), hashed, raw)
    except (UserError, OSError, ValueError):
        return False


def _tensors_in(name: str, hashes: Integrity, raw: bytes | None) -> str:
    """Name the tensors of a file that differ, if they can be determined."""
    should = hashes.tensors.get(name)
    if should is None or raw is None:
        return ""
    try:
        have = tensor_hashes(load(raw))
    except (SafetensorError, ValueError, RuntimeError, KeyError):
        return ""
    differ = sorted(n for n in should.keys() | have.keys() if should.get(n) != have.get(n))
    if not differ:
        return " (its header)"
    more = f" and {len(differ) - 1} more" if len(differ) > 1 else ""
    return f" (tensor {differ[0]!r}{more})"


def _notify(folder: Path, what: str) -> None:
    warnings.warn(f"{folder}: {what}", IntegrityNotice, stacklevel=2)
