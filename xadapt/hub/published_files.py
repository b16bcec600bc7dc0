"""The files of a folder that are published: those that its hashes name, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xadapt.composition.text import show
from xadapt.core.errors import UserError
from xadapt.hub import composition_file
from xadapt.hub.integrity import CARD
from xadapt.hub.manifest import FILE, Manifest
from xadapt.hub.opening import open_folder
from xadapt.hub.safe_paths import file_inside, has_file


@dataclass(frozen=True)
class PublishedFiles:
    """A folder that was checked.

    Attributes:
        folder: The folder.
        manifests: The manifest of the module, or of each module of a composition.
        files: The files to publish by their paths in the folder.
        composition: The text of a composition, or ``None``.
    """

    folder: Path
    manifests: Sequence[Manifest]
    files: dict[str, Path] = field(default_factory=dict)
    composition: str | None = None

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(path.stat().st_size for path in self.files.values())

    @property
    def languages(self) -> list[str]:
        """The languages of all modules, each once, sorted."""
        return sorted({tag for manifest in self.manifests for tag in manifest.languages})


def published_files(path: Path | str) -> PublishedFiles:
    """Check a module's folder or a composition, and list its files.

    The state of a run (``run/``) and every other file that no hash names is left out.

    Raises:
        UserError: If the folder holds no module or composition, a file is absent or differs from
            its hash, or a folder was written before xadapt kept hashes.
    """
    folder = Path(path)
    opened = composition_file.open_composition(folder)
    if opened is None:
        manifest, _ = open_folder(folder)
        return PublishedFiles(folder, [manifest], _files(folder, manifest))
    composition, folders = opened
    manifests = []
    files = {name: file_inside(folder, name) for name in (composition_file.FILE, CARD)}
    for name, inner in folders.items():
        manifest, _ = open_folder(inner)
        manifests.append(manifest)
        own = f"{composition_file.MODULES}/{name}"
        held = {manifest_file: inner / manifest_file for manifest_file in (FILE, *_hashed(inner))}
        files |= {f"{own}/{one}": path for one, path in held.items()}
    return PublishedFiles(folder, manifests, files, show(composition))


def _hashed(folder: Path) -> list[str]:
    """Names of the hashed files that a copied module has; only some are copied."""
    manifest, _ = open_folder(folder)
    return [name for name in _names(folder, manifest) if has_file(folder, name)]


def _files(folder: Path, manifest: Manifest) -> dict[str, Path]:
    names = _names(folder, manifest)
    absent = [name for name in names if not has_file(folder, name)]
    if absent:
        raise UserError(
            f"the folder had {', '.join(absent[:3])} when it was written, and has it no more",
            where=str(folder),
            todo="Train or compose it anew",
        )
    return {name: file_inside(folder, name) for name in (FILE, *names)}


def _names(folder: Path, manifest: Manifest) -> list[str]:
    if manifest.integrity is None:
        raise UserError(
            "the folder was written before xadapt kept hashes: it is not published as it is",
            where=str(folder),
            todo="Train or compose it anew",
        )
    return sorted(manifest.integrity.files)
