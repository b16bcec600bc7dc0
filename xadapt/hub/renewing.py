"""Add files to a module's folder that was written before: card, manifest and hashes are renewed.

A load compares every file with its hash. So the manifest first forgets the hashes of the files that
change, then the files are written, and then the manifest names the new ones. A folder is loadable
after each of these steps, and the same call again completes an interrupted one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.folder_lock import one_writer
from xadapt.hub.card import card, require_valid
from xadapt.hub.hashes import file_hash
from xadapt.hub.integrity import CARD, same_file, with_hashes
from xadapt.hub.manifest import FILE, Manifest, save_manifest
from xadapt.hub.opening import open_folder
from xadapt.hub.safe_paths import has_file


def require_own_folder(folder: Path) -> Manifest:
    """Refuse a folder that can't be renewed, before any work is done for it.

    Raises:
        UserError: If it is no unchanged module, was written before hashes were kept, is in the
            Hub's cache, or can't be written to.
    """
    manifest, _ = open_folder(folder)
    if manifest.integrity is None:
        raise UserError(
            "the folder was written before xadapt kept hashes: it is not changed",
            where=str(folder),
            todo="Train or compose it anew",
        )
    if folder.resolve().parent.name == "snapshots" or not os.access(folder, os.W_OK):
        raise UserError(
            "the folder is a copy that is not to be written to",
            where=str(folder),
            todo="Copy it to a folder of your own",
        )
    return manifest


def renew(folder: Path, files: Mapping[str, bytes], **changes: Any) -> tuple[Manifest, bool]:
    """Write files into a module's folder, change fields of its manifest, and renew the card.

    Args:
        folder: The module's folder.
        files: The content of each file, by its name.
        changes: New values of fields of the manifest.

    Returns:
        The manifest, and whether the card was renewed: one that its owner edited stays as it is.

    Raises:
        UserError: As for `require_own_folder`.
    """
    with one_writer(folder):
        manifest = require_own_folder(folder)
        assert manifest.integrity is not None
        known = manifest.integrity.files.get(CARD)
        edited = known is not None and not same_file(folder, CARD, known)
        changing = {*files, *([] if edited else [CARD])}
        save_manifest(folder, _sealed(folder, manifest, (), changing))
        for name, content in files.items():
            with atomic_file(folder / name) as temporary:
                temporary.write_bytes(content)
        manifest = manifest.model_copy(update=changes)
        if not edited:
            text = card(manifest, _names(folder, manifest, files))
            require_valid(text, CARD)
            with atomic_file(folder / CARD) as temporary:
                temporary.write_text(text, encoding="utf-8")
        manifest = _sealed(folder, manifest, changing, ())
        save_manifest(folder, manifest)
    return manifest, not edited


def _names(folder: Path, manifest: Manifest, added: Iterable[str]) -> list[str]:
    """Return the names of all files of the folder, for its card."""
    assert manifest.integrity is not None
    there = {name for name in manifest.integrity.files if has_file(folder, name)}
    return sorted({CARD, FILE, *there, *added})


def _sealed(
    folder: Path, manifest: Manifest, added: Iterable[str], removed: Iterable[str]
) -> Manifest:
    """Return the manifest with the hashes of some files added and of others left out."""
    assert manifest.integrity is not None
    gone = set(removed)
    files = {name: own for name, own in manifest.integrity.files.items() if name not in gone}
    files |= {name: file_hash(folder / name) for name in added}
    hashes = manifest.integrity.model_copy(update={"files": dict(sorted(files.items()))})
    return with_hashes(manifest, hashes)
