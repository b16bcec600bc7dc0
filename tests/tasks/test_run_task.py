from __future__ import annotations

import re
from typing import Any

import pytest

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
