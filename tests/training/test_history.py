from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from xadapt.core.errors import UserError
from xadapt.training.history import History

ROWS = [
    {"step": 1, "loss": 2.0, "lr": 0.1},
    {"step": 2, "loss": 1.0, "lr": 0.05},
    {"step": 2, "dev": {"score": 0.25, "both": 0.5}},
]


def test_rows_columns_and_frame(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    history = History.read(file)
    assert len(history) == 3 and history[2] == {"step": 2, "dev/score": 0.25, "dev/both": 0.5}
    assert [row["step"] for row in history.steps] == [1, 2] and len(history.evaluations) == 1
    assert history.to_dict()["loss"] == [2.0, 1.0, None] and len(history[:2]) == 2
    frame = history.to_pandas()
    assert list(frame["lr"].dropna()) == [0.1, 0.05] and frame["dev/score"].iloc[2] == 0.25


def test_curves_by_objective() -> None:
    losses = [{"loss/mlm": 5.0, "loss/dap": 1.0}, {"loss/mlm": 4.0, "loss/dap": 3.0, "mlm/x": 9.0}]
    rows = [{"step": n, "loss": 6.0, **own} for n, own in enumerate(losses, 1)]
    assert History([*rows, ROWS[2]]).curves == {
        "mlm": [(1, 5.0), (2, 4.0)],
        "dap": [(1, 1.0), (2, 3.0)],
    }
    assert History([]).curves == {}


def test_what_a_person_sees() -> None:
    history = History(ROWS)
    assert repr(history) == (
        "History of 2 steps: loss 2.000 to 1.000, best development score 0.250 at step 2"
    )
    html = history._repr_html_()
    assert ">dev/score</th>" in html and ">0.25</td>" in html
    axes = history.plot(Figure().subplots()).figure.axes
    assert list(axes[0].lines[0].get_ydata()) == [2.0, 1.0]
    assert list(axes[1].lines[0].get_ydata()) == [0.25]


def test_nothing_yet(tmp_path: Path) -> None:
    history = History.read(tmp_path / "none.jsonl")
    assert repr(history) == "History of no steps" and len(history) == 0
    assert "<table" in history._repr_html_() and history.plot(Figure().subplots())


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="'pandas', which is not installed"):
        History(ROWS).to_pandas()
