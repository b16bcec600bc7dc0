"""Turn the tables of a task into the record of a measurement, without a path of this machine."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xadapt.core.files import sha256_file
from xadapt.data.loading.inputs import as_data, of_language
from xadapt.data.loading.records import digest
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.records import Record
from xadapt.evaluation.comparison import Result, Row, mean
from xadapt.evaluation.statistics import statistic_difference
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.hub.evidence import (
    Gain,
    MeasuredModule,
    Measurement,
    Role,
    Score,
    SystemScores,
    TestData,
    column,
    tensors_hash,
)
from xadapt.hub.manifest import Manifest, software_versions
from xadapt.hub.opening import read_manifest
from xadapt.hub.safe_paths import is_folder
from xadapt.pipelines.evidence_controls import values_of
from xadapt.pipelines.evidence_run import MeasuringRun
from xadapt.report.table import Bar
from xadapt.tasks import alignment
from xadapt.tasks.predictor import MODULE

BASE = alignment.BASE
SIDES: dict[str, Any] = {
    alignment.LANGUAGE: "language",
    alignment.BOTH: "both",
    alignment.SHUFFLED: "both",
}
"""The sides on which a module acts, by the name of its row in a table."""
OWN = (MODULE, alignment.LANGUAGE, alignment.BOTH)
"""Rows of the measured module."""
ROLES: dict[str, Role] = {BASE: "frozen base", TFIDF: "tf-idf"}
TWIN = "shuffled-pairs control"
"""The beginning of the name of a row of the shuffled-pairs twin."""


def system_rows(result: Result, folder: Path, manifest: Manifest) -> list[SystemScores]:
    """Return the rows of the first table: module, base, twin, TF-IDF and the task's baselines."""
    own, rows = _measured(folder, manifest), []
    for row in result.rows:
        role: Role = ROLES.get(row.system, "control")
        if row.system in OWN:
            role = "module"
        elif row.system.startswith(TWIN):
            role = "shuffled pairs"
        ahead = {}
        if role not in ("module", "frozen base"):
            ahead = _ahead(_module_row(result, SIDES.get(row.system)), row, result)
        rows.append(_scores(row, row.system, role, own if role == "module" else None, ahead))
    return rows


def control_rows(
    role: Role, name: str, folder: Path, result: Result, own: Result
) -> list[SystemScores]:
    """Return the rows of a control: those that its module has in a table of its own."""
    measured = _measured(folder, read_manifest(folder))
    rows = []
    for row in result.rows:
        if row.system in OWN:
            ahead = _ahead(_module_row(own, SIDES.get(row.system)), row, own)
            title = f"{name}: {row.system}"[:300]
            rows.append(_scores(row, title, role, measured, ahead))
    return rows


def _module_row(result: Result, sides: str | None) -> Row | None:
    """Return the row of the module that acts on the same sides."""
    own = [row for row in result.rows if row.system in OWN]
    fits = [row for row in own if sides is None or SIDES.get(row.system) in (None, sides)]
    return next(iter(fits), None)


def _ahead(module: Row | None, row: Row, result: Result) -> dict[str, Gain]:
    """Return paired differences of the module to a control, where their rows' values are kept."""
    if module is None:
        return {}
    settings = {name: result.options[name] for name in ("resamples", "seed")}
    return {
        name: _gain(statistic_difference(mean, [values], [row.values[name]], **settings))
        for name, values in module.values.items()
        if name in row.values and len(row.values[name]) == len(values) and name in row.scores
    }


def _scores(
    row: Row, system: str, role: Role, module: MeasuredModule | None, ahead: dict[str, Gain]
) -> SystemScores:
    return SystemScores(
        system=system,
        role=role,
        sides=SIDES.get(row.system),
        module=module,
        scores={
            name: Score(value=one.mean, low=one.low, high=one.high)
            for name, one in row.scores.items()
        },
        gains={name: _gain(one) for name, one in row.gains.items()},
        ahead=ahead,
    )


def _gain(one: Any) -> Gain:
    return Gain(value=one.mean, low=one.low, high=one.high, p=one.p)


def _measured(folder: Path, manifest: Manifest) -> MeasuredModule:
    seed = manifest.recipe.get("seed")
    return MeasuredModule(
        name=manifest.name,
        tensors=tensors_hash(folder, manifest),
        languages=manifest.languages,
        objectives=manifest.objectives,
        seed=seed if isinstance(seed, int) else None,
        values=values_of(folder, manifest),
    )


def measurement_of(
    run: MeasuringRun, result: Result, systems: list[SystemScores], manifest: Manifest
) -> Measurement:
    """Return the record of a measurement, without a path of this machine."""
    shared = ("lang", "dtype", "metric", "windows")
    lang = run.options.get("lang")
    given = as_data(of_language(run.data if run.data is not None else run.task.default_data, lang),
                    run.options.get("columns"))  # fmt: skip
    options = {k: v for k, v in run.options.items() if k not in shared and v not in (None, "", ())}
    metrics = run.options.get("metric") or ()
    return Measurement(
        task=run.task.name,
        task_type=run.task.task_type,
        lang=lang,
        data=_data(given, run.watch.rows, result),
        overlap=run.watch.check,
        base=manifest.base,
        dtype=run.options.get("dtype") or "auto",
        metrics=[metrics] if isinstance(metrics, str) else list(metrics),
        windows=run.options.get("windows"),
        options=options,
        resamples=result.options["resamples"],
        seed=result.options["seed"],
        systems=systems,
        software=software_versions(),
        command=_command(run, given, manifest, options),
        created=datetime.date.today().isoformat(),
    )


def _data(given: Any, rows: Sequence[Record], result: Result) -> TestData:
    source, hashed, name = None, None, "data in memory"
    if not isinstance(given, InMemory):
        path = Path(str(given))
        name = path.name
        if path.is_file():
            hashed = sha256_file(path)
        elif not is_folder(path):
            source = name = str(given)
    return TestData(
        name=name,
        source=source,
        file_sha256=hashed,
        sha256=digest(rows),
        rows=result.count,
        unit=result.unit,
    )


def _command(run: MeasuringRun, given: Any, manifest: Manifest, options: Mapping[str, Any]) -> str:
    """Return the command line that measures it again; folders are names in capitals."""
    name = "DATA" if isinstance(given, InMemory) else str(given)
    if not isinstance(given, InMemory) and Path(name).exists():
        name = Path(name).name
    words = ["xadapt", "evaluate", run.task.name, "--base", manifest.base.id or "BASE"]
    words += ["--module", "FOLDER", "--data", name]
    shared = {k: run.options.get(k) for k in ("lang", "dtype", "metric", "windows")}
    for key, value in {**shared, **options}.items():
        if value in (None, "", (), [], False) or (key, value) == ("dtype", "auto"):
            continue
        flag = "--format" if key == "file_format" else f"--{key.replace('_', '-')}"
        for each in value if isinstance(value, (list, tuple)) else [value]:
            words += [flag] if each is True else [flag, str(each)]
    return shlex.join([*words, "--evidence"])


def title_of(one: Measurement) -> str:
    """Return the title of the picture."""
    return f"{one.task}, {one.data.name}: {one.data.rows:,} {one.data.unit}, 95 % intervals"


def bars_of(one: Measurement) -> list[Bar]:
    """Return the values of the picture: the first two measures of each system."""
    order: dict[str, int] = {"module": 0, "frozen base": 1}
    rows = sorted(one.systems, key=lambda row: order.get(row.role, 2))
    measures = list(rows[0].scores)[:2]
    return [
        Bar(_bar_name(row), measure, row.scores[measure].value, row.scores[measure].low,
            row.scores[measure].high)
        for row in rows for measure in measures if measure in row.scores
    ]  # fmt: skip


def _bar_name(row: SystemScores) -> str:
    sides = {"language": ", language side", "both": ", both sides"}.get(row.sides or "", "")
    return f"{column(row)}{sides}"
