"""The checks of a published folder as values: what was looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from xadapt.core.errors import UserError

Status = Literal["passed", "failed", "not checked"]
PASSED: Final = "passed"
FAILED: Final = "failed"
OPEN: Final = "not checked"
MARKS: dict[str, str] = {PASSED: "ok", FAILED: "FAILED", OPEN: "not checked"}


class NotCheckedError(Exception):
    """What can't be checked here, and why, in one line."""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What was checked: a file, or a part such as ``manifest``, ``base`` or ``peft``.
        status: ``passed``, ``failed`` or ``not checked``.
        what: What was found, in one line.
    """

    name: str
    status: Status
    what: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{MARKS[self.status]:<11} {self.name}" + (f": {self.what}" if self.what else "")


@dataclass(frozen=True)
class Verification:
    """All checks of a folder.

    Attributes:
        place: The folder or the Hub id.
        revision: The commit on the Hub.
        checks: The checks in their order.
    """

    place: str
    revision: str | None = None
    checks: tuple[Check, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether something was checked, and no check failed."""
        return any(one.status == PASSED for one in self.checks) and not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(one for one in self.checks if one.status == FAILED)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "place": self.place,
            "revision": self.revision,
            "ok": self.ok,
            "checks": [asdict(one) for one in self.checks],
        }

    def __iter__(self) -> Iterator[Check]:
        """Iterate over the checks."""
        return iter(self.checks)

    def __str__(self) -> str:
        """Return one line a check, and a last line that counts them."""
        return "\n".join([*map(str, self.checks), self.summary])

    @property
    def summary(self) -> str:
        """How many checks passed, failed and were not made, in one line."""
        count = dict.fromkeys((PASSED, FAILED, OPEN), 0)
        for one in self.checks:
            count[one.status] += 1
        place = f"{self.place}@{self.revision[:12]}" if self.revision else self.place
        verdict = "verified" if self.ok else "NOT verified"
        return (
            f"{verdict}: {place}: {count[PASSED]} passed, {count[FAILED]} failed, "
            f"{count[OPEN]} not checked"
        )


def checked(name: str, function: Callable[[], str | Iterable[Check] | None]) -> list[Check]:
    """Run one check alone: whatever it raises is its own result and hides no other check.

    Args:
        name: Name of the check.
        function: Returns what was found, or several checks. A `UserError` means that the check
            failed, and a `NotCheckedError` that it can't be made here.
    """
    try:
        found = function()
    except NotCheckedError as error:
        return [Check(name, OPEN, _line(error))]
    except UserError as error:
        return [Check(name, FAILED, _line(error))]
    except Exception as error:  # such as a library that fails in its own way on a damaged file
        return [
            Check(name, FAILED, f"it can't be checked ({type(error).__name__}: {_line(error)})")
        ]
    if found is None or isinstance(found, str):
        return [Check(name, PASSED, found or "")]
    return list(found)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
