from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_folder

from xadapt.core.errors import UserError
from xadapt.tasks.run_task import evaluate


@pytest.mark.parametrize(
    ("task", "more", "message"),
    [
        ("taging", {}, "did you mean 'tagging'"),
        ("tagging", {"emae": 1}, "did you mean 'emea'"),
        ("bitext", {"head": "ner"}, "bitext has no option --head"),
        ("bitext", {"data": None}, "bitext needs data"),
        ("entities", {"pool": "some", "data": None}, "--pool is test or all, not 'some'"),
        ("open_ie", {"arguments": "a"}, "open_ie needs predicates"),
    ],
)
def test_what_a_task_does_not_take_is_refused_before_anything_is_read(
    task: str, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        evaluate(task, **{"base": "/no/such/base", "data": "/no/such/data", **more})


def test_a_former_name_is_accepted_with_a_warning() -> None:
    with (
        pytest.warns(DeprecationWarning, match="against= is called baseline= now"),
        pytest.raises(UserError, match="can't tell the format"),
    ):
        evaluate("bitext", base="mini", data="/no/such/data", lang="de", modules="m", against="a")


def test_what_is_cut_and_what_is_not_used_is_told_once_and_kept(tmp_path: Path) -> None:
    base, told = str(tiny_folder(tmp_path / "base")), list[str]()
    long = "katze " * 90
    rows = [f"the cat {i}\tdie {long if i < 2 else 'katze'} {i}\thard {i}" for i in range(6)]
    (tmp_path / "p.tsv").write_text("\n".join(rows), encoding="utf-8")
    given = {"base": base, "data": tmp_path / "p.tsv", "lang": "de", "report": told.append}
    result = evaluate("bitext", **given)
    assert told == [
        "p.tsv: column 3 is not used",
        "2 of 6 texts are longer than the 48 tokens that the base reads, and cut; windows=mean "
        "(--windows mean) reads them whole",
    ]
    assert result.to_dict()["notes"] == told
    told.clear()
    again = evaluate("bitext", **given)  # the vectors are on disk now
    assert again.facts["notes"] == result.facts["notes"]
    told.clear()
    assert (
        evaluate("bitext", **given, windows="mean").facts["notes"]
        == told
        == ["p.tsv: column 3 is not used"]
    )
    with pytest.raises(UserError, match="did you mean 'mean'"):
        evaluate("bitext", **given, windows="maen")
    with pytest.raises(UserError, match="tagging has no option --windows"):
        evaluate("tagging", **given, windows="mean")
