"""Collect the modules below a folder for the page of a gallery."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from xadapt.core.errors import UserError
from xadapt.hub.card import DEVELOPMENT
from xadapt.hub.evidence import Measurement, SystemScores, read_evidence
from xadapt.hub.manifest import FILE, Evidence, Manifest
from xadapt.hub.opening import open_folder
from xadapt.hub.safe_paths import is_folder
from xadapt.languages.tags import display_name
from xadapt.report.gallery import Gallery, GalleryModule, GalleryScore, GallerySection

SIDES = {"both": "with the module on both sides", "language": "with the module on one side"}


@dataclass(frozen=True)
class _Headline:
    """The score that stands for a module, and what it is."""

    metric: str
    score: GalleryScore
    tested_on: str
    rows: int | None
    held_out: bool


def collect(folder: Path | str, page: Path | str, title: str | None = None) -> Gallery:
    """Collect all modules below a folder; their hashes are checked.

    Args:
        folder: The folder.
        page: The file of the page: links to modules are relative to it.
        title: Title of the page.

    Raises:
        UserError: If there is no such folder, or no module below it.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise UserError("there is no such folder", where=str(folder), todo="Name a folder")
    sections: dict[tuple[str, str], list[GalleryModule]] = {}
    skipped = []
    for file in sorted(folder.rglob(FILE)):
        place = file.parent
        if any(name.startswith(".") or name == "run" for name in file.relative_to(folder).parts):
            continue
        try:
            manifest, _ = open_folder(place)
            found = _headline(place, manifest)
        except UserError as error:
            skipped.append(str(error).replace(str(folder), folder.name))
            continue
        base = manifest.base.id or f"a base of type {manifest.base.model_type}"
        key = (base, found.metric if found else "")
        sections.setdefault(key, []).append(_module(place, Path(page), manifest, found))
    if not sections:
        raise UserError(
            "there is no module below this folder" + (f" ({skipped[0]})" if skipped else ""),
            where=str(folder),
            todo="Train one, or name another folder",
        )
    ordered = tuple(
        GallerySection(base, metric, tuple(sorted(rows, key=lambda one: (one.language, one.place))))
        for (base, metric), rows in sorted(sections.items())
    )
    return Gallery(title or f"Modules in {folder.resolve().name}", ordered, tuple(skipped))


def _module(place: Path, page: Path, manifest: Manifest, found: _Headline | None) -> GalleryModule:
    loaders = [name for name, one in manifest.loaders.items() if one.status == "verified"]
    names = [display_name(tag) for tag in manifest.languages]
    link = os.path.relpath(place.resolve(), page.resolve().parent)
    return GalleryModule(
        language=", ".join(names) or manifest.name,
        tags=", ".join(manifest.languages),
        name=manifest.name,
        kind=manifest.module.kind,
        place=quote(Path(link).as_posix()) + "/README.md",
        score=found.score if found else None,
        tested_on=found.tested_on if found else "",
        rows=found.rows if found else None,
        held_out=found.held_out if found else False,
        bytes=(place / manifest.module.file).stat().st_size,
        licence=manifest.licence or "not stated",
        loaders=tuple(loaders),
    )


def _headline(place: Path, manifest: Manifest) -> _Headline | None:
    """Return the newest measurement on test data, else the scores on the development split."""
    evidence = read_evidence(place, manifest)
    if evidence is not None and evidence.measurements:
        return _of_measurement(evidence.measurements[-1])
    return _of_claims(manifest.evidence)


def _of_measurement(one: Measurement) -> _Headline | None:
    own = one.of_role("module")
    row = next((row for row in own if row.sides == "both"), own[0] if own else None)
    if row is None or not row.scores:
        return None
    measures = _directions(list(row.scores))
    base = _mean_of(one.of_role("frozen base"), measures, None)
    bounds = [row.gains[m] for m in measures if m in row.gains]
    single = bounds[0] if len(measures) == 1 and bounds else None
    score = GalleryScore(
        _mean(row.scores[m].value for m in measures),
        base,
        _mean_of(one.of_role("tf-idf"), measures, None),
        _mean_of(one.of_role("wrong language"), measures, row.sides),
        single.low if single else None,
        single.high if single else None,
    )
    held_out = one.overlap is not None and one.overlap.complete
    return _Headline(_named(one.task, measures, row.sides), score, one.data.name, one.data.rows,
                     held_out)  # fmt: skip


def _of_claims(claims: Sequence[Evidence]) -> _Headline | None:
    own = [one for one in claims if one.sides == "both"] or list(claims)
    if not own:
        return None
    own = [one for one in own if (one.task, one.data) == (own[0].task, own[0].data)]
    measures = _directions([one.metric for one in own])
    chosen = [one for one in own if one.metric in measures]
    bases = [one.base for one in chosen if one.base is not None]
    plain = [one.controls[n] for one in chosen for n in one.controls if n.lower() == "tf-idf"]
    score = GalleryScore(
        _mean(one.value for one in chosen),
        _mean(bases) if len(bases) == len(chosen) else None,
        _mean(plain) if len(plain) == len(chosen) else None,
    )
    first = own[0]
    metric = _named(first.task, measures, first.sides)
    suffix = f", {DEVELOPMENT}" if first.data == DEVELOPMENT else ""
    return _Headline(metric + suffix, score, first.data, first.rows, False)


def _directions(measures: list[str]) -> list[str]:
    """Return both directions of the first measure where it has two, else the first measure."""
    first = measures[0]
    for here, there in ((" to pivot", " from pivot"), (" from pivot", " to pivot")):
        other = first.removesuffix(here) + there
        if first.endswith(here) and other in measures:
            return [first, other]
    return [first]


def _named(task: str, measures: list[str], sides: str | None) -> str:
    own = measures[0]
    if len(measures) == 2:
        own = f"{own.rsplit(' ', 2)[0]}, mean of both directions"
    return f"{task}: {own}" + (f", {SIDES[sides]}" if sides else "")


def _mean_of(rows: Sequence[SystemScores], measures: list[str], sides: str | None) -> float | None:
    fits = [row for row in rows if sides is None or row.sides in (None, sides)]
    if not fits or any(measure not in fits[0].scores for measure in measures):
        return None
    return _mean(fits[0].scores[measure].value for measure in measures)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
