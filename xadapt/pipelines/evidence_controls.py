"""Find the modules that a measurement is compared with: given ones, and those beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.hub.evidence import (
    CONTROLS,
    Role,
)
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_folder, read_manifest
from xadapt.languages.families import shared_groups
from xadapt.languages.tags import normalise
from xadapt.tasks.protocol import Task


def find_controls_of(
    task: Task,
    folder: Path,
    manifest: Manifest,
    given: Mapping[str, str | Path],
    look: bool,
    lang: str | None,
) -> list[tuple[Role, str, Path]]:
    """Return the other modules to measure: what each stands for, its name, its folder."""
    found: list[tuple[Role, str, Path]] = []
    for name, where in given.items():
        own = read_manifest(where)
        if own.base.fingerprint_id != manifest.base.fingerprint_id:
            raise UserError(
                "this control was trained on another base than the module",
                where=f"{name}={where}",
                todo="Name a module of the same base",
            )
        spelt = name.replace("-", " ").replace("_", " ")
        role: Role = next((one for one in CONTROLS if one == spelt), "control")
        found.append((role, name, Path(where)))
    if not look:
        return found
    taken = {role for role, _, _ in found}
    beside = [pair for pair in _beside(folder) if _alike(manifest, pair[1])]
    if "wrong language" not in taken:
        far = [
            (_nearness(manifest, one), where.name, where)
            for where, one in beside
            if one.objectives == manifest.objectives
            and one.languages
            and not {tag.split("-")[0] for tag in one.languages} & _own_languages(manifest, lang)
        ]
        if far:
            found.append(("wrong language", "wrong language", min(far)[2]))
    if "masked language model" not in taken and manifest.objectives != ["mlm"]:
        masked = [where for where, one in beside
                  if one.objectives == ["mlm"] and one.languages == manifest.languages
                  and values_of(where, one) == values_of(folder, manifest)]  # fmt: skip
        if masked:
            found.append(("masked language model", "masked language model", masked[0]))
    if task.head is not None:  # a control without the task's head can't answer
        labels = manifest.head.labels if manifest.head else None
        heads = ((row, read_manifest(row[2]).head) for row in found)
        found = [row for row, head in heads if head is not None and head.labels == labels]
    return found


def _own_languages(manifest: Manifest, lang: str | None) -> set[str]:
    tags = [*manifest.languages, *([normalise(lang)] if lang else [])]
    return {tag.split("-")[0] for tag in tags}


def _nearness(one: Manifest, other: Manifest) -> int:
    """Return how many groups the nearest languages of two modules share."""
    pairs = ((a, b) for a in one.languages for b in other.languages)
    return max((shared_groups(a, b) for a, b in pairs), default=0)


def _beside(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """Yield the modules in the folders beside a module's folder, by name."""
    for place in sorted(folder.resolve().parent.iterdir()):
        if place != folder.resolve() and (place / "xadapt.json").is_file():
            try:
                yield place, read_manifest(place)
            except UserError:
                continue


def _alike(one: Manifest, other: Manifest) -> bool:
    """Whether two modules are of one base and of one kind."""
    same_base = one.base.fingerprint_id == other.base.fingerprint_id is not None
    return same_base and one.module.kind == other.module.kind


def values_of(folder: Path, manifest: Manifest) -> int:
    """Count the values of a module."""
    return sum(tensor.numel() for tensor in open_folder(folder)[1].values())
