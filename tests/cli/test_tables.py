from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table
from tiny_folders import manifest_of
from tiny_models import tiny_encoder
from tiny_training import module_for, pairs, shaken

from xadapt.cli import tables
from xadapt.evaluation import bitext, entities
from xadapt.evaluation.systems import System
from xadapt.hub.manifest import Evidence
from xadapt.tasks.assess import alignment

ENCODER = tiny_encoder("bert")


def shown(table: Table) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def judged(kind: str, lang: str) -> Any:
    module, twin = shaken(module_for(ENCODER), 1), shaken(module_for(ENCODER), 2)
    bench = alignment.Bench(ENCODER)
    rows = [type(p)(p.text, p.pivot, lang) for p in pairs(30)]
    try:
        if kind == "bitext":
            return alignment.judge_bitext(bench, rows, module, twin, controls=True, resamples=20)
        labels = [(str(i), p.text, p.pivot) for i, p in enumerate(rows)]
        return alignment.judge_entities(
            bench, labels, [], module, twin, controls=True, resamples=20
        )
    finally:
        bench.close()


@pytest.mark.parametrize("kind", ["bitext", "entities"])
@pytest.mark.parametrize("lang", ["de", "zh-Hant"])
def test_one_whole_line_a_system_and_direction(kind: str, lang: str) -> None:
    result = judged(kind, lang)
    lines = shown(tables.result_table(result, lang, "en"))
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines)
    there = [line for line in lines if f"{lang}>en" in line]
    back = [line for line in lines if f"en>{lang}" in line]
    assert len(there) == len(back) == 5
    names = list(tables.SHORT.values())
    assert [line.split("  ")[0] for line in there] == names


def test_numbers_stand_where_they_belong() -> None:
    result: bitext.Result = judged("bitext", "de")
    row = result[alignment.LANGUAGE]
    (line,) = [x for x in shown(tables.bitext_table(result)) if x.startswith("module  ")]
    value = row.accuracy["to_pivot"]
    assert f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]" in line
    assert f"{row.xsim['ratio']['to_pivot']:.1f}" in line
    found: entities.Result = judged("entities", "de")
    cells = [x for x in shown(tables.entities_table(found, "de", "en")) if x.startswith("module  ")]
    scores = found[alignment.LANGUAGE].scores["to_pivot"]
    wanted = [scores["cosine"]["hits@10"], scores["cosine"]["mrr"]]
    wanted += [scores["csls"]["hits@1"], scores["csls"]["mrr"]]
    assert cells[0].split()[-4:] == [f"{value.mean:.3f}" for value in wanted]


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


def test_a_gain_outside_its_interval_is_marked() -> None:
    one_hot = np.eye(20, dtype=np.float32)

    def right(rows: Sequence[str]) -> Any:
        return one_hot[[int(row.split()[1]) for row in rows]]

    def wrong(rows: Sequence[str]) -> Any:
        return one_hot[[(int(row.split()[1]) + 1) % 20 for row in rows]]

    labels = [(str(i), f"text {i}", f"pivot {i}") for i in range(20)]
    systems = {alignment.BASE: System(wrong, right), alignment.LANGUAGE: System(right, right)}
    found = entities.evaluate(labels, systems, base=alignment.BASE, resamples=20, control=False)
    lines = shown(tables.entities_table(found, "de", "en"))
    assert any("0.000 [0.000, 0.000] " in line for line in lines)
    assert sum("1.000 [1.000, 1.000]*" in line for line in lines) == 2
    assert tables.BETTER in lines
