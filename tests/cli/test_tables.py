from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table
from tiny_folders import manifest_of
from tiny_models import tiny_encoder
from tiny_training import module_for

from xadapt.cli import tables
from xadapt.hub.manifest import Evidence

ENCODER = tiny_encoder("bert")


def shown(table: Table) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def evidence(value: float, **more: Any) -> Evidence:
    fields = {"task": "bitext", "data": "dev", "metric": "accuracy to pivot", "rows": 9}
    return Evidence(**{**fields, "value": value, "base": 0.25, "sides": "language", **more})


def test_evidence_is_shown_beside_its_controls() -> None:
    one = evidence(0.5, interval=(0.4, 0.6), controls={"tf-idf": 0.125})
    made = manifest_of(ENCODER, module_for(ENCODER), evidence=[one])
    lines = shown(tables.evidence_table(made))
    assert any(
        line.split("  ")[0] == "module" and "0.500 [0.400, 0.600]" in line and "0.250" in line
        and line.endswith("0.125") for line in lines
    )  # fmt: skip
    none = manifest_of(ENCODER, module_for(ENCODER))
    assert "nothing was held out" in shown(tables.evidence_table(none))[0]


def test_seeds_are_told_by_mean_and_range() -> None:
    made = [
        manifest_of(ENCODER, module_for(ENCODER), evidence=[evidence(v, sides="both")])
        for v in (0.2, 0.4, 0.9)
    ]
    lines = shown(tables.seeds_table(made))
    assert "3 seeds" in lines[0]
    assert any(line.split()[-3:] == ["0.500", "0.200", "0.900"] for line in lines)


def test_the_evidence_of_a_task_that_is_not_installed_is_shown() -> None:
    one = evidence(0.5, task="of_a_stranger", sides=None, metric="score", controls={"c": 0.1})
    lines = shown(tables.evidence_table(manifest_of(ENCODER, module_for(ENCODER), evidence=[one])))
    assert "9 held-out rows" in lines[0] and any(line.startswith("c ") for line in lines)
