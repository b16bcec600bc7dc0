from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.hub.base_mismatch import (
    BaseMismatchNotice,
    allowing_base_mismatch,
    base_mismatches,
    mismatch_lines,
    require_base,
    restating,
)


def test_a_difference_is_refused_or_noted_once() -> None:
    assert require_base("sw", [], None, "folder") is None
    with pytest.raises(UserError, match=r"trained on another base: layers.*--allow-base-mismatch"):
        require_base("sw", ["layers: 2 and 3"], "a/b", "folder")
    with allowing_base_mismatch() as found, pytest.warns(BaseMismatchNotice) as caught:
        line = require_base("sw", ["layers: 2 and 3"], None, "folder")
        assert require_base("sw", ["layers: 2 and 3"], None, "folder") == line
        assert found == base_mismatches() == [line] and len(caught) == 1
        with allowing_base_mismatch():  # inside it, the same list
            assert base_mismatches() == [line]
        with restating(["other"]):
            assert base_mismatches() == [line, "other"]
        assert mismatch_lines() == f"\nBase mismatch: {line}.\n"
    assert base_mismatches() == [] and mismatch_lines() == ""


def test_a_block_that_allows_nothing_has_no_effect() -> None:
    with allowing_base_mismatch(False), pytest.raises(UserError):
        require_base("sw", ["width: 2 and 3"], None, "folder")
    with restating([]), pytest.raises(UserError):
        require_base("sw", ["width: 2 and 3"], None, "folder")
