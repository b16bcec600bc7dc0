from __future__ import annotations

from pathlib import Path

import pytest
from tiny_commands import QUICK, Place, everything, good, xadapt

from xadapt.core.files import read_json

SMALL = (*QUICK, "--set", "train.evaluations=1", "--param", "learning_rate=1e-4..1e-2:log")


def tune(place: Place, out: Path, *more: object) -> tuple[object, ...]:
    given = ("--base", place.base, "--data", place.data, "--lang", "de", "--out", out)
    return ("tune", "translation_ranking", *given, *SMALL, *more)


def test_a_search_prints_its_table_and_writes_the_folder(place: Place, tmp_path: Path) -> None:
    done = good(*tune(place, tmp_path / "out", "--trials", 2, "--json", tmp_path / "r.json"))
    assert "2 trials, scored on" in done.out and "no test data were read" in done.out
    assert "accuracy" in done.out  # the evidence of the best module
    assert any(line.startswith("trial 2 of 2: learning_rate=") for line in done.lines)
    told = read_json(tmp_path / "r.json")
    assert told["command"] == "tune" and len(told["trials"]) == 2
    assert told["selected_on"].startswith("development split")
    given = ("--base", place.base, "--module", tmp_path / "out" / "best", "--data", place.test)
    good("evaluate", "bitext", *given)
    again = good(*tune(place, tmp_path / "out", "--trials", 2, "--resume"))
    assert "2 trials are done already" in again.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--param", "rnk=4,8"), "--param: unknown parameter 'rnk'; did you mean 'rank'"),
        (("--param", "rank=8..4"), "--param: 'rank=8..4': the first end is the lower one"),
        (("--trials", "0"), "Invalid value for '--trials'"),
        (("--set", "data.train.dev=0"), "no development records"),
    ],
)
def test_mistakes_are_one_line(place: Place, tmp_path: Path, more: tuple, said: str) -> None:
    done = xadapt(*tune(place, tmp_path / "out", *more))
    assert done.code == 2 and said in done.lines[-1]
    assert len([line for line in done.lines if line.startswith("xadapt:")]) == 1
    assert everything(tmp_path) == []
