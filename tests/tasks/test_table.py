from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table
from tiny_models import tiny_encoder
from tiny_training import module_for, pairs, shaken

from xadapt.data.records import LabelPair
from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.evaluation.systems import System
from xadapt.tasks import alignment
from xadapt.tasks.protocol import find
from xadapt.tasks.table import comparison_table, mark

ENCODER = tiny_encoder("bert")


def shown(table: Table) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def measured(kind: str, lang: str, **more: Any) -> Result:
    module, control = shaken(module_for(ENCODER), 1), shaken(module_for(ENCODER), 2)
    evaluator = alignment.AlignmentEvaluator(ENCODER)
    rows: list[Any] = [type(p)(p.text, p.pivot, lang) for p in pairs(30)]
    if kind == "entities":
        rows = [LabelPair(str(i), p.text, p.pivot, lang) for i, p in enumerate(rows)]
    try:
        return find(kind).compare_modules(  # type: ignore[attr-defined]
            evaluator, rows, module, control, controls=True, resamples=20, **more
        )
    finally:
        evaluator.close()


@pytest.mark.parametrize("kind", ["bitext", "entities"])
@pytest.mark.parametrize("lang", ["de", "zh-Hant"])
def test_one_whole_line_a_system_and_direction(kind: str, lang: str) -> None:
    lines = shown(find(kind).table(measured(kind, lang)))
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines)
    there = [line for line in lines if f"{lang}>en" in line]
    back = [line for line in lines if f"en>{lang}" in line]
    assert len(there) == len(back) == 5
    names = [name for name in alignment.SHORT.values() if "baseline" not in name]
    assert [line.split("  ")[0] for line in there] == names


@pytest.mark.parametrize("kind", ["bitext", "entities"])
def test_a_baseline_has_lines_of_its_own(kind: str) -> None:
    lines = shown(find(kind).table(measured(kind, "de", baseline=shaken(module_for(ENCODER), 3))))
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines)
    there = [line.split("  ")[0] for line in lines if "de>en" in line]
    assert there == [
        "frozen base", "baseline", "baseline, both", "module", "module, both", "shuffled pairs",
        "TF-IDF",
    ]  # fmt: skip
    assert alignment.BETTER_THAN_BASELINE in lines


def test_numbers_stand_where_they_belong() -> None:
    result = measured("bitext", "de")
    row = result[alignment.LANGUAGE]
    (line,) = [x for x in shown(find("bitext").table(result)) if x.startswith("module  ")]
    value = row.scores["accuracy to pivot"]
    assert f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]" in line
    assert f"{row.more['xsim']['ratio']['to_pivot']:.1f}" in line
    found = measured("entities", "de")
    cells = [x for x in shown(find("entities").table(found)) if x.startswith("module  ")]
    scores = found[alignment.LANGUAGE].scores
    names = ("hits@10", "mrr", "csls hits@1", "csls mrr")
    wanted = [scores[f"{name} to pivot"] for name in names]
    assert cells[0].split()[-4:] == [f"{value.mean:.3f}" for value in wanted]


def test_a_gain_outside_its_interval_is_marked() -> None:
    one_hot = np.eye(20, dtype=np.float32)

    def right(rows: Sequence[str]) -> Any:
        return one_hot[[int(row.split()[1]) for row in rows]]

    def wrong(rows: Sequence[str]) -> Any:
        return one_hot[[(int(row.split()[1]) + 1) % 20 for row in rows]]

    labels = [LabelPair(str(i), f"text {i}", f"pivot {i}", "de") for i in range(20)]
    systems = {alignment.BASE: System(wrong, right), alignment.LANGUAGE: System(right, right)}
    task = find("entities")
    found = task.evaluate(labels, systems, base=alignment.BASE, resamples=20, control=False)
    lines = shown(task.table(found))
    assert any("0.000 [0.000, 0.000] " in line for line in lines)
    assert sum("1.000 [1.000, 1.000]*" in line for line in lines) == 2
    assert alignment.BETTER in lines


def test_each_measure_of_each_system_has_a_line() -> None:
    columns = {
        "a": {"m": [[0.0, 1.0]], "n": [[1.0, 1.0]]},
        "module": {"m": [[1.0, 1.0]], "n": [[0.0, 1.0]]},
    }
    result = compare(
        "t",
        "rows",
        columns,
        {"m": mean, "n": mean},
        details={"module": {"x": 0.25}},
        base="a",
        resamples=20,
    )
    lines = shown(comparison_table(result, "2 rows", {"a": "first"}, "details", "module"))
    assert lines[0] == "2 rows" and [line.split()[0] for line in lines[3:7]] == [
        "first", "n", "module", "n"
    ]  # fmt: skip
    assert "0.500 [0.000, 1.000]" in lines[3] and "+0.500 [+0.000, +1.000]" in lines[5]
    assert lines[-2:] == ["gain: over first", "details: x 0.250"]
    gain = result["module"].gains["m"]
    assert gain.low == 0 and mark(gain) == " " == mark(None)
