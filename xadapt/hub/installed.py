"""The modules that are on this machine: those in the cache of the Hub's client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from xadapt.composition.text import show
from xadapt.core.errors import UserError
from xadapt.hub import composition_file
from xadapt.hub.card import summary
from xadapt.hub.manifest import FILE, Manifest
from xadapt.hub.opening import read_manifest
from xadapt.hub.safe_paths import has_file


@dataclass(frozen=True)
class InstalledModule:
    """A module in the cache.

    Attributes:
        id: Hub id.
        revision: The commit.
        names: The branches and tags that meant this commit when it was fetched.
        folder: Its folder.
        manifests: Its manifest; of a composition, those of its modules.
        composition: The text of a composition.
        bytes: Size of its files.
    """

    id: str
    revision: str
    names: tuple[str, ...]
    folder: Path
    manifests: tuple[Manifest, ...]
    composition: str | None = None
    bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the manifests as JSON values."""
        return {
            "id": self.id,
            "revision": self.revision,
            "names": list(self.names),
            "folder": str(self.folder),
            "composition": self.composition,
            "bytes": self.bytes,
            "modules": [summary(one) for one in self.manifests],
        }

    def __str__(self) -> str:
        """Return what it is, in one line."""
        languages = dict.fromkeys(tag for one in self.manifests for tag in one.languages)
        bases = dict.fromkeys(one.base.id or one.base.model_type for one in self.manifests)
        kinds = dict.fromkeys(one.module.kind for one in self.manifests)
        what = "composition of " if self.composition else ""
        return (
            f"{', '.join(languages) or 'every language'}; {what}{', '.join(kinds)} on "
            f"{', '.join(bases)}; {self.bytes / 1e6:.1f} MB"
        )


def installed_modules(cache: Path | str | None = None) -> tuple[list[InstalledModule], list[str]]:
    """Find the modules in the Hub's cache, each revision by itself.

    Args:
        cache: The cache; by default that of the Hub's client.

    Returns:
        The modules by id and revision, and a line for each one that can't be read.
    """
    found, skipped = [], []
    for folder in _snapshots(Path(cache or constants.HF_HUB_CACHE)):
        try:
            found.append(_read(folder))
        except UserError as error:
            skipped.append(str(error))
    return found, skipped


def _snapshots(cache: Path) -> Iterator[Path]:
    for file in sorted(cache.glob("models--*--*/snapshots/*")):
        if has_file(file, FILE) or has_file(file, composition_file.FILE):
            yield file


def _read(folder: Path) -> InstalledModule:
    composed = composition_file.open_composition(folder)
    places = [folder] if composed is None else list(composed[1].values())
    repository = folder.parents[1]
    names = sorted(
        file.relative_to(repository / "refs").as_posix()
        for file in (repository / "refs").rglob("*")
        if file.is_file() and file.read_text(encoding="utf-8").strip() == folder.name
    )
    return InstalledModule(
        id="/".join(repository.name.split("--")[1:]),
        revision=folder.name,
        names=tuple(names),
        folder=folder,
        manifests=tuple(map(read_manifest, places)),
        composition=None if composed is None else show(composed[0]),
        bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
    )
