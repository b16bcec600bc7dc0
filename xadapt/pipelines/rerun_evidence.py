"""Measure the recorded evidence of a module again, beside its intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file
from xadapt.data.loading.records import digest
from xadapt.evaluation.comparison import Result
from xadapt.hub.evidence import (
    Measurement,
    TestData,
    read_evidence,
)
from xadapt.hub.opening import open_folder
from xadapt.pipelines.evidence_run import MeasuringRun, Watch
from xadapt.tasks.protocol import Report, find

DIGITS = 1e-9
"""A number is inside its interval up to this rounding."""


@dataclass(frozen=True)
class Rerun:
    """One recorded score, measured again.

    Attributes:
        task: Name of the task.
        data: Name of the data.
        system: Name of the system.
        measure: Name of the score.
        recorded: The recorded score.
        low: Lower end of the recorded interval.
        high: Upper end of the recorded interval.
        now: The score now; ``None`` if it was not measured again.
        reason: Why it was not measured again.
    """

    task: str
    data: str
    system: str
    measure: str
    recorded: float
    low: float
    high: float
    now: float | None = None
    reason: str = ""

    @property
    def inside(self) -> bool | None:
        """Whether the score is inside the recorded interval; ``None`` if it was not measured."""
        if self.now is None:
            return None
        return self.low - DIGITS <= self.now <= self.high + DIGITS


def rerun(
    folder: str | Path,
    data: str | Path | None = None,
    *,
    base: str | None = None,
    report: Report = lambda _: None,
) -> list[Rerun]:
    """Measure the recorded evidence of a module again, and compare it with the recorded intervals.

    The module, the frozen base and TF-IDF are measured; controls of other folders are not.

    Args:
        folder: The module's folder.
        data: The file of the test data, or a folder with it. The file is known by its hash. Data
            of the Hub, and the built-in graph, need none.
        base: The base; without it, the one that the manifest names.
        report: Receives messages for people, a line at a time.

    Returns:
        One entry for each recorded score. A measurement whose data are not at hand has entries with
        a ``reason`` in the place of a score.

    Raises:
        UserError: If the folder has no evidence, it is malformed or of other tensors, or the base
            can't be opened.
    """
    folder = Path(folder)
    manifest, _ = open_folder(folder)
    content = read_evidence(folder, manifest)
    if content is None:
        raise UserError(
            "this module has no evidence",
            where=str(folder),
            todo="Measure it: xadapt evaluate TASK .. --evidence",
        )
    return [row for one in content.measurements
            for row in _again(one, folder, data, base or manifest.base.id, report)]  # fmt: skip


def _again(
    one: Measurement, folder: Path, data: str | Path | None, base: str | None, report: Report
) -> Iterator[Rerun]:
    """Yield the recorded scores of one measurement with those of now."""
    source = _at_hand(one.data, data)
    reason = "" if source else f"the data {one.data.name} are not at hand"
    if base is None:
        reason = "the base has no id: name it"
    result: Result | None = None
    if not reason:
        assert base is not None
        watch = Watch(None, str(source))
        options = {"lang": one.lang, "dtype": one.dtype, **one.options}
        options |= {"metric": one.metrics} if one.metrics else {}
        options |= {"windows": one.windows} if one.windows else {}
        task = find(one.task)
        run = MeasuringRun(task, base, source, options, report, watch)
        result = run.measure(folder, controls=bool(one.of_role("tf-idf")))
        if digest(watch.rows) != one.data.sha256:
            result, reason = None, f"{one.data.name} holds other records now"
    for system in one.systems:
        if system.module is not None and system.role not in ("module", "shuffled pairs"):
            continue
        there = result[system.system] if result and system.system in result else None
        for measure, score in system.scores.items():
            own = there.scores.get(measure) if there else None
            yield Rerun(
                one.task, one.data.name, system.system, measure,
                score.value, score.low, score.high,
                None if own is None else own.mean,
                reason if own is None and reason else "" if own is not None else "not measured now",
            )  # fmt: skip


def _at_hand(own: TestData, data: str | Path | None) -> str | None:
    """Return the data of a measurement: a given file, one of a given folder, or their source."""
    if own.source is not None:
        return own.source
    if data is None:
        return None
    place = Path(data)
    files = [place] if place.is_file() else sorted(place.rglob(own.name)) if place.is_dir() else []
    if not files and place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.is_file())
    return next((str(path) for path in files if sha256_file(path) == own.file_sha256), None)
