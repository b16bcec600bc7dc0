"""The files of a folder that are published: those that its hashes name, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xadapt.composition.text import show
from xadapt.core.errors import UserError
from xadapt.hub import composition_file
from xadapt.hub.card import require_valid
from xadapt.hub.integrity import CARD
from xadapt.hub.manifest import FILE, Manifest
from xadapt.hub.opening import open_folder
from xadapt.hub.safe_paths import file_inside, has_file
from xadapt.hub.signature_file import FILE as SIGNATURE

UNHASHED = ("encoder.json", SIGNATURE)
"""Files of xadapt that a manifest need not name, because they are written after it."""


MARK = "---\n"


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
    def parents(self) -> list[str]:
        """The modules that these were made from or trained on top of, each once."""
        found = [
            name
            for manifest in self.manifests
            for name in (
                *manifest.parents,
                *manifest.trained_inside,
                *(one.id or one.name for one in manifest.started_from),
            )
        ]
        return list(dict.fromkeys(found))

    @property
    def languages(self) -> list[str]:
        """The languages of all modules, each once, sorted."""
        return sorted({tag for manifest in self.manifests for tag in manifest.languages})


def card_head(own: PublishedFiles) -> list[str]:
    """Return the header of the folder's card, line by line, without the marks around it.

    Raises:
        UserError: If the card is absent, or huggingface_hub can't read its header.
    """
    text = own.files[CARD].read_text(encoding="utf-8", errors="replace")
    require_valid(text, str(own.files[CARD]))
    if not text.startswith(MARK):
        return ["the card has no header"]
    return text.removeprefix(MARK).partition(f"\n{MARK}")[0].splitlines()


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
    files = {
        name: file_inside(folder, name)
        for name in (composition_file.FILE, CARD, *_unhashed(folder))
    }
    for name, inner in folders.items():
        manifest, _ = open_folder(inner)
        manifests.append(manifest)
        at = f"{composition_file.MODULES}/{name}"
        files |= {f"{at}/{one}": file_inside(inner, one) for one in (FILE, *_hashed(inner))}
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
    return {name: file_inside(folder, name) for name in (FILE, *names, *_unhashed(folder))}


def _unhashed(folder: Path) -> list[str]:
    return [name for name in UNHASHED if has_file(folder, name)]


def _names(folder: Path, manifest: Manifest) -> list[str]:
    if manifest.integrity is None:
        raise UserError(
            "the folder was written before xadapt kept hashes: it is not published as it is",
            where=str(folder),
            todo="Train or compose it anew",
        )
    return sorted(manifest.integrity.files)
