from __future__ import annotations

from xadapt.core.errors import UserError, missing_extra


def test_one_line_with_place_and_remedy():
    error = UserError("no column 2\nin this row", where="a.tsv:3", todo="Use tabs")
    assert str(error) == "a.tsv:3: no column 2 in this row. Use tabs"
    assert (error.what, error.where, error.todo) == (
        "no column 2\nin this row",
        "a.tsv:3",
        "Use tabs",
    )
    assert str(UserError("bad")) == "bad"


def test_missing_extra_says_how_to_get_it():
    assert str(missing_extra("peft", "peft")).endswith("pip install 'xadapt[peft]'")
