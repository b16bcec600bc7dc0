"""The claims of manifests as readable tables, within 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from xadapt.core import registry
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.hub.manifest import Evidence, Manifest
from xadapt.tasks.alignment import BASE, BOTH, LANGUAGE, LEGEND, SHORT
from xadapt.tasks.protocol import find
from xadapt.tasks.table import new_table

SIDES = {"language": SHORT[LANGUAGE], "both": SHORT[BOTH]}


def evidence_table(manifest: Manifest) -> Table:
    """Render the evidence of a manifest, with its controls."""
    rows = manifest.evidence
    if rows and rows[0].sides is None:
        vectors = manifest.head is None and _by_vectors(rows[0].task)
        return (_vector_evidence if vectors else _head_evidence)(manifest.name, rows)
    shown = f"{rows[0].rows} held-out {_unit(rows[0].task)}" if rows else "nothing was held out"
    title = f"{manifest.name}: {shown}{', accuracy' if rows else ''}"
    columns = ("", "way", "accuracy [95 %]", "frozen base", SHORT[TFIDF])
    table = new_table(title, columns)
    for row in rows:
        table.add_row(
            SIDES.get(str(row.sides), ""),
            row.metric.removeprefix("accuracy "),
            _evidence(row),
            "" if row.base is None else f"{row.base:.3f}",
            *(f"{value:.3f}" for value in row.controls.values()),
        )
    pivot = manifest.pivot or "the pivot"
    table.caption = "\n".join(LEGEND[name].format(pivot=pivot) for name in (LANGUAGE, BOTH))
    return table


def seeds_table(manifests: Sequence[Manifest]) -> Table:
    """Render mean and range over the seeds of one module."""
    table = new_table(f"{len(manifests)} seeds", ("", "way", "mean", "least", "most"))
    for rows in zip(*(manifest.evidence for manifest in manifests), strict=True):
        values = [row.value for row in rows]
        numbers = (sum(values) / len(values), min(values), max(values))
        table.add_row(
            SIDES["both" if rows[0].sides == "both" else "language"],
            rows[0].metric.removeprefix("accuracy "),
            *(f"{value:.3f}" for value in numbers),
        )
    return table


def _head_evidence(name: str, rows: Sequence[Evidence]) -> Table:
    metrics = [row.metric for row in rows]
    title = f"{name}: {rows[0].rows} held-out {_unit(rows[0].task)}"
    table = new_table(title, ("", f"{metrics[0]} [95 %]", *metrics[1:]))
    table.add_row("module", _evidence(rows[0]), *(f"{row.value:.3f}" for row in rows[1:]))
    if rows[0].base is not None:
        table.add_row(SHORT[BASE], *(f"{row.base:.3f}" for row in rows))
    for control in rows[0].controls:
        short = SHORT.get(control, control)
        table.add_row(short, *(f"{row.controls[control]:.3f}" for row in rows))
    return table


def _vector_evidence(name: str, rows: Sequence[Evidence]) -> Table:
    """Render the measures of vectors within one language, a line each."""
    title = f"{name}: {rows[0].rows} held-out {_unit(rows[0].task)}"
    controls = list(rows[0].controls)
    table = new_table(
        title, ("", "module [95 %]", SHORT[BASE], *(SHORT.get(c, c) for c in controls))
    )
    for row in rows:
        numbers = [row.base, *(row.controls.get(name) for name in controls)]
        shown = ("" if value is None else f"{value:.3f}" for value in numbers)
        table.add_row(row.metric, _evidence(row), *shown)
    return table


def _by_vectors(task: str) -> bool:
    return task in registry.names("tasks") and find(task).by_vectors


def _unit(task: str) -> str:
    """Return the name that a task gives its rows, if the task is installed."""
    return find(task).unit if task in registry.names("tasks") else "rows"


def _evidence(row: Evidence) -> str:
    if row.interval is None:
        return f"{row.value:.3f}"
    return f"{row.value:.3f} [{row.interval[0]:.3f}, {row.interval[1]:.3f}]"
