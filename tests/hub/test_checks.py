from __future__ import annotations

from xadapt.core.errors import UserError
from xadapt.hub.checks import FAILED, OPEN, PASSED, Check, NotCheckedError, Verification, checked


def raising(error: BaseException) -> list[Check]:
    def function() -> str:
        raise error

    return checked("one", function)


def test_whatever_a_check_raises_is_its_own_result() -> None:
    assert checked("one", lambda: "fine") == [Check("one", PASSED, "fine")]
    assert checked("one", lambda: None) == [Check("one", PASSED)]
    assert raising(UserError("wrong", where="x"))[0].status == FAILED
    assert raising(NotCheckedError("no key")) == [Check("one", OPEN, "no key")]
    [strange] = raising(RuntimeError("two\nlines"))
    assert strange.status == FAILED and "RuntimeError: two lines" in strange.what
    both = [Check("a", PASSED), Check("b", FAILED)]
    assert checked("one", lambda: both) == both


def test_a_verification_needs_something_that_passed_and_nothing_that_failed() -> None:
    good, bad, unsure = Check("a", PASSED), Check("b", FAILED, "why"), Check("c", OPEN)
    assert Verification("x", checks=(good, unsure)).ok
    assert not Verification("x", checks=(good, bad)).ok
    assert not Verification("x", checks=(unsure,)).ok and not Verification("x").ok
    found = Verification("x", "0123456789abcdef", (good, bad, unsure))
    assert found.failed == (bad,) and list(found) == [good, bad, unsure]
    lines = str(found).splitlines()
    assert lines[1] == "FAILED      b: why"
    assert lines[-1] == "NOT verified: x@0123456789ab: 1 passed, 1 failed, 1 not checked"
    assert found.to_dict()["checks"][1] == {"name": "b", "status": "failed", "what": "why"}
